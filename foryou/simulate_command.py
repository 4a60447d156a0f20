"""`foryou simulate`: policies on paired worlds, in this process, or `online` on a running system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from foryou.console import progress_console
from simulations.feed_api import FeedApiError
from simulations.in_process import InProcessSystem
from simulations.presets import PRESETS, Preset
from simulations.recording import FeedRecorder
from simulations.simulated_feeds import SimulatedFeed, SystemServed, names_of
from simulations.simulation import SYSTEM_SETTINGS, SimulationResult, simulate
from simulations.simulation_page import write_simulation_page
from simulations.system_feed import RunningSystemFeed
from simulations.world import World

_UNITS = {"s": 1 / 3_600, "m": 1 / 60, "min": 1 / 60, "h": 1.0, "d": 24.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")


class SimulationError(ValueError):
    """The simulation cannot be run as asked; the text says why."""


def run_simulate_command(
    preset: str,
    *,
    against: str = "random,popular,tags,frozen,online,oracle",
    people: int | None = None,
    duration: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    report: Path = Path("simulation-report"),
    record: Path | None = None,
    http_url: str | None = None,
    key: str | None = None,
    processes: int = 1,
) -> dict[str, Any]:
    """Run, write the report, and return it, flat but for the maps by policy.

    duration: of the world's time, "24h", "90min", a bare number being hours. steps: contents shown to people
    after which each copy ends. seeds: how many, from `seed` on. record: a file for FEED of the first seed's
    online copy. http_url: of a running system that serves `online`.
    key: where its API asks for one. processes: copies that run at once.

    Keys: gap_closed, engagement, retention and others by policy, each with `..._interval`; interactions_per_s
    by policy; report, the page. Only interactions_per_s depends on the clock.
    Raises SimulationError.
    """
    chosen = _preset(preset, people, duration)
    policies = [name.strip() for name in against.split(",") if name.strip()]
    if seed < 0:
        raise SimulationError("--seed is at least 0")
    if seeds < 1 or (steps is not None and steps < 1):
        raise SimulationError("--seeds and --steps are at least 1")
    if record is not None and http_url is not None:
        raise SimulationError("--record records the system in this process: not with --http")
    if key is not None and http_url is None:
        raise SimulationError("--key opens a running system: with --http")
    if (record is not None or http_url is not None) and ("online" not in policies or seeds != 1):
        raise SimulationError("--record and --http need the policy online and one seed")
    if not policies:
        raise SimulationError("--against names no policy")
    try:
        names_of(tuple(policies))
        _make_folders(report, record)
        with (
            _progress() as tell,
            _online_feed(chosen.with_size(seed=seed), record, http_url, key) as feeds,
        ):
            result = simulate(
                chosen,
                against=policies,
                seeds=range(seed, seed + seeds),
                max_interactions=steps,
                feeds=feeds,
                processes=processes,
                tell=tell,
            )
    except (ValueError, FeedApiError) as error:
        raise SimulationError(str(error)) from error
    return _answer(result, report)


def _answer(result: SimulationResult, folder: Path) -> dict[str, Any]:
    page = write_simulation_page(result, folder)
    return {**result.report(), "interactions_per_s": result.interactions_per_s(), "report": str(page)}


def _make_folders(report: Path, record: Path | None) -> None:
    """Before anything runs, for that may take hours. Raises SimulationError."""
    for option, folder in (("--report", report), ("--record", None if record is None else record.parent)):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SimulationError(f"{option} {folder}: {error.strerror}") from error
    if record is not None and record.is_dir():
        raise SimulationError(f"--record {record}: a folder, and it should be a file")


def _preset(name: str, people: int | None, duration: str | None) -> Preset:
    if name not in PRESETS:
        raise SimulationError(f"preset {name!r}: known are {', '.join(PRESETS)}")
    if people is not None and people < 1:
        raise SimulationError("--people is at least 1")
    preset = PRESETS[name].with_size(people=people)
    return preset if duration is None else preset.model_copy(update={"hours": hours_of(duration)})


def hours_of(text: str) -> float:
    """Read a duration. Raises SimulationError."""
    match = _DURATION.fullmatch(text.strip())
    hours = float(match[1]) * _UNITS[match[2] or "h"] if match else 0.0
    if hours <= 0:
        raise SimulationError(f"--for {text!r}: a duration like 24h, 90min or 2d")
    return hours


@contextmanager
def _online_feed(
    preset: Preset, record: Path | None, http_url: str | None, key: str | None
) -> Iterator[dict[str, SimulatedFeed]]:
    world = World(preset.world)
    if http_url is not None:
        with RunningSystemFeed(http_url, world, key=key) as feed:
            yield {"online": feed}
    elif record is not None:
        system = InProcessSystem(SYSTEM_SETTINGS, seed=preset.world.seed)
        with FeedRecorder(record, system.streams.num_partitions) as recorder:
            system.streams.listener = recorder.heard
            yield {"online": SystemServed(world, SYSTEM_SETTINGS, system=system)}
    else:
        yield {}


@contextmanager
def _progress() -> Iterator[Callable[[str, int, float], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=progress_console, transient=True) as progress:
        tasks: dict[tuple[str, int], Any] = {}

        def tell(policy: str, seed: int, share: float) -> None:
            if (policy, seed) not in tasks:
                tasks[policy, seed] = progress.add_task(f"{policy}, seed {seed}", total=1.0)
            progress.update(tasks[policy, seed], completed=share)

        yield tell
