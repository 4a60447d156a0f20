"""`foryou experiment promotion`: the rules of promotion at work on a whole system, with simulated people."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from threadpoolctl import threadpool_limits

from actors.models_settings import ModelsSettings
from foryou.console import progress_console
from foryou.settings import SystemSettings
from foryou.system import System
from learners.ranking_model import RankingModelSettings
from monitoring.experiment_analysis import NEGATIVE_FEEDBACK, AnalysisSettings, MetricSettings
from monitoring.promotion import PromotionSettings
from simulations.demo import Demo, DemoFailedError, DemoSettings
from simulations.feed_api import HttpFeedApi
from simulations.promotion_journey import JourneyError, PromotionJourney
from simulations.world import WorldSettings

__all__ = ["DemoFailedError", "JourneyError", "run_experiment_promotion"]

_HARDLY = 1e-4
"""Of a learning rate: what a model that stands still has left of it."""

WATCH_TIME = MetricSettings(name="watch_time", numerator="watch_ms")
"""By impression: the default weights of signals ask for it, so what a model has learned shows there first."""

QUICK = ModelsSettings(
    canary_share=0.5,
    promotion=PromotionSettings(min_shadow_seconds=20.0, min_canary_seconds=10.0),
    analysis=AnalysisSettings(
        primary=WATCH_TIME, guardrails=(NEGATIVE_FEEDBACK,), min_people=30, planned_people=600
    ),
    shadow_min_people=30,
    shadow_planned_people=200,
)
"""Everybody is in the experiment, and little evidence is planned for: what takes days on a real feed is to be
seen in minutes. The chance of a wrong verdict is as it always is."""


def run_experiment_promotion(
    settings: SystemSettings,
    *,
    num_people: int,
    seed: int,
    patience_seconds: float,
    visits_per_second: float,
    num_replicas: int = 2,
) -> dict[str, Any]:
    """Run the journey on a system of its own and return how long each step took, why, and what failed.

    Raises JourneyError, DemoFailedError.
    """
    learning = settings.training.model
    standing_still = RankingModelSettings.model_validate(learning.model_dump() | _scaled(learning, _HARDLY))
    with tempfile.TemporaryDirectory(prefix="foryou-promotion-", ignore_cleanup_errors=True) as folder:
        own = settings.model_copy(
            update={
                "services": settings.services.model_copy(update={"state": Path(folder)}),
                "training": settings.training.model_copy(update={"model": standing_still}),
                "models": QUICK,
                "http": settings.http.model_copy(update={"replicas": num_replicas}),
            }
        )
        with (
            progress_console.status("starting") as status,
            System(own, say=lambda step: status.update(f"starting {step}")) as system,
            threadpool_limits(1),  # the servers need the other cores
        ):
            demo = DemoSettings(
                world=WorldSettings(num_people=num_people, seed=seed),
                duration_seconds=None,
                visits_per_second=visits_per_second,
                num_partitions=settings.num_partitions,
                frozen_share=0.0,
            )

            def say(step: str) -> None:
                status.update(f"waiting for {step}")

            return asyncio.run(
                _travel(system.http_url, demo, learning, patience_seconds=patience_seconds, say=say)
            )


async def _travel(
    url: str,
    settings: DemoSettings,
    learning: RankingModelSettings,
    *,
    patience_seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    api = HttpFeedApi(url)
    demo = Demo(settings, api)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=10.0) as http:
            journey = PromotionJourney(
                http,
                _scaled(learning, 1.0),
                _scaled(learning, _HARDLY),
                patience_seconds=patience_seconds,
                say=say,
            )
            report = await journey.run(demo)
    finally:
        await api.close()
    return report.as_dict() | {"failed_requests": demo.num_failures}


def _scaled(model: RankingModelSettings, factor: float) -> dict[str, Any]:
    """Return a model's learning rates times a factor."""
    return {
        "learning_rate": model.learning_rate * factor,
        "slot_learning_rates": {slot: rate * factor for slot, rate in model.slot_learning_rates.items()},
        "dense_learning_rate": model.dense_learning_rate * factor,
    }
