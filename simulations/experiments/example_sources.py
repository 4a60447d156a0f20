"""What the experiments learn from: one EXAMPLES stream for each data set and seed, joined once, in files.

Seeds of a log differ in the model's first weights (and in what collides): the log is the same. Seeds of a
simulated world are other worlds besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from learners.joiner import JoinerSettings
from simulations.prepared_examples import examples_of_log, examples_of_world, write_batches
from simulations.presets import PRESETS
from simulations.replay_log import ReplayLog
from simulations.simulation import SYSTEM_SETTINGS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExampleSource:
    """name: in reports, plots and file names. title: for people. prepare: returns the file of a seed's
    stream, made where it is not there."""

    name: str
    title: str
    prepare: Callable[[int], Path]


def log_source(log: ReplayLog, name: str, joiner: JoinerSettings, folder: Path, say: Say) -> ExampleSource:
    """Return the stream of a log, one mini-batch for each of its windows."""
    path = folder / f"{name}.examples"

    def prepare(_seed: int) -> Path:
        if not path.exists():
            say(f"joining {name}, {len(log):,} rows, once")
            write_batches(path, examples_of_log(log, joiner))
        return path

    return ExampleSource(name, f"{name}, {len(log):,} rows", prepare)


def world_source(
    preset_name: str, *, people: int, hours: float | None, window_rows: int, folder: Path, say: Say
) -> ExampleSource:
    """Return the streams of simulated worlds that the whole system serves and learns from."""
    preset = PRESETS[preset_name]
    if hours is not None:
        preset = preset.model_copy(update={"hours": hours})

    def prepare(seed: int) -> Path:
        path = folder / f"{preset_name}-{seed}.examples"
        if not path.exists():
            say(f"simulating {preset_name}, seed {seed}")
            sown = preset.with_size(people=people, seed=seed)
            write_batches(path, examples_of_world(sown, SYSTEM_SETTINGS, window_rows=window_rows))
        return path

    title = f"simulated world '{preset_name}', {people} people, {preset.hours:g} h"
    return ExampleSource(preset_name, title, prepare)
