"""`foryou demo`: the whole system, people who scroll, and a view of it learning."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.live import Live
from threadpoolctl import threadpool_limits

from foryou.console import progress_console, result_console
from foryou.demo_view import draw_progress
from foryou.settings import SystemSettings
from foryou.system import System
from simulations.demo import Demo, DemoFailedError, DemoSettings
from simulations.demo_plot import save_engagement_plot
from simulations.demo_results import DemoProgress
from simulations.feed_api import HttpFeedApi
from simulations.in_process import InProcessSettings
from simulations.world import WorldSettings

__all__ = ["DemoFailedError", "run_demo_command"]

PLOT_NAME = "engagement.png"


def run_demo_command(
    settings: SystemSettings,
    *,
    seconds: float | None,
    report: Path,
    num_people: int,
    seed: int,
    own_state: bool,
) -> dict[str, Any]:
    """Run for `seconds`, or until Ctrl-C, and return the summary. Raises DemoFailedError.

    own_state: use a new state folder and remove it at the end, so that the model begins knowing nothing.
    """
    with _state_folder(settings, own_state) as settings_of_run:
        with progress_console.status("starting") as status:
            system = System(settings_of_run, say=lambda step: status.update(f"starting {step}"))
            system.__enter__()
        try:
            result_console.print(f"API at {system.http_url}   docs at {system.http_url}/docs")
            demo_settings = _demo_settings(settings_of_run, seconds, num_people, seed)
            with threadpool_limits(1):  # the servers need the other cores
                summary, curves = asyncio.run(_run(demo_settings, system.http_url))
        finally:
            with progress_console.status("stopping"):
                system.stop()
    report.mkdir(parents=True, exist_ok=True)
    plot = save_engagement_plot(report / PLOT_NAME, curves)
    return {key: _rounded(value) for key, value in summary.items()} | {"plot": str(plot)}


def _demo_settings(
    settings: SystemSettings, seconds: float | None, num_people: int, seed: int
) -> DemoSettings:
    return DemoSettings(
        world=WorldSettings(num_people=num_people, seed=seed),
        duration_seconds=seconds,
        num_partitions=settings.num_partitions,
        frozen=InProcessSettings(
            joiner=settings.joiner, training=settings.training, pipeline=settings.feed.pipeline
        ),
    )


async def _run(settings: DemoSettings, base_url: str) -> tuple[dict[str, Any], Any]:
    with Live(console=progress_console, refresh_per_second=4, transient=True) as live:

        def show(progress: DemoProgress) -> None:
            live.update(draw_progress(progress, base_url))

        api = HttpFeedApi(base_url)
        try:
            demo = Demo(settings, api, on_progress=show)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, demo.stop)
            summary = await demo.run()
        finally:
            await api.close()
        return summary.as_dict(), demo.engagement


@contextlib.contextmanager
def _state_folder(settings: SystemSettings, own_state: bool) -> Iterator[SystemSettings]:
    if not own_state:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="foryou-demo-", ignore_cleanup_errors=True) as folder:
        services = settings.services.model_copy(update={"state": Path(folder)})
        yield settings.model_copy(update={"services": services})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
