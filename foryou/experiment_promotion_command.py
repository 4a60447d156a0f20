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
from learners.ranking_model import RankingModelSettings, slot_dimensions
from learners.table_settings import TableSettings
from monitoring.experiment_analysis import NEGATIVE_FEEDBACK, AnalysisSettings
from monitoring.promotion import PromotionSettings
from simulations.demo import Demo, DemoFailedError, DemoSettings
from simulations.feed_api import HttpFeedApi
from simulations.promotion_journey import JourneyError, PromotionJourney
from simulations.world import WorldSettings

__all__ = ["DemoFailedError", "JourneyError", "run_experiment_promotion"]

_HARDLY = 1e-4
"""Of a learning rate: what a model that only guesses has left of it."""

_LARGE = 2.0
"""What its rows reach to: products of rows decide all its scores, and they are chance. To learn nothing would
not do. With rows as small as they are by default, what the pipeline itself knows of people (sources, trends,
features) orders a feed nearly as well as a minute of learning does."""

QUICK = ModelsSettings(
    canary_share=0.5,
    promotion=PromotionSettings(min_shadow_seconds=20.0, min_canary_seconds=10.0),
    analysis=AnalysisSettings(guardrails=(NEGATIVE_FEEDBACK,), min_people=30, planned_people=600),
    shadow_min_people=30,
    shadow_planned_people=200,
)
"""Everybody is in the experiment, and little evidence is planned for: what takes days on a real feed is to be
seen in minutes. The chance of a wrong verdict is as it always is. Engagement decides: the simulated people's
tastes do, while watch time goes with a content's length, which first weights favour by luck."""


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
    guessing = RankingModelSettings.model_validate(
        learning.model_dump(exclude_unset=True) | model_changes(learning, _HARDLY, _LARGE)
    )
    with tempfile.TemporaryDirectory(prefix="foryou-promotion-", ignore_cleanup_errors=True) as folder:
        own = settings.model_copy(
            update={
                "services": settings.services.model_copy(update={"state": Path(folder)}),
                "training": settings.training.model_copy(update={"model": guessing}),
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
                model_changes(learning, 1.0, None),
                model_changes(learning, _HARDLY, _LARGE),
                patience_seconds=patience_seconds,
                say=say,
            )
            report = await journey.run(demo)
    finally:
        await api.close()
    return report.as_dict() | {"failed_requests": demo.num_failures}


def model_changes(model: RankingModelSettings, rate: float, initial_scale: float | None) -> dict[str, Any]:
    """Return what of a model's settings is its own: its learning rates times `rate`, and where its rows
    begin; None leaves them as they are."""
    tables = {slot: model.tables.get(slot, TableSettings()) for slot in slot_dimensions(model)}
    return {
        "learning_rate": model.learning_rate * rate,
        "slot_learning_rates": {slot: own * rate for slot, own in model.slot_learning_rates.items()},
        "dense_learning_rate": model.dense_learning_rate * rate,
        "tables": {
            slot: table.model_dump(exclude_unset=True)
            | {"initial_scale": table.initial_scale if initial_scale is None else initial_scale}
            for slot, table in tables.items()
        },
    }
