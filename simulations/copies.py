"""One copy of a world as a piece of work, here or in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
from threadpoolctl import threadpool_limits

from simulations.arm_record import ArmRecord
from simulations.in_process import InProcessSettings
from simulations.paired_runs import run_copy
from simulations.presets import Preset
from simulations.simulated_feeds import SimulatedFeed, feed_of
from simulations.world import World

WITHOUT_BOTS = "online without bots"

_NEW_OBJECTS = 50_000
"""Objects more than before at which the collector looks through the youngest of them."""

Tell = Callable[[str, int, float], None]
"""Told policy, seed, and how far its copy is, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Copy:
    """name: of the policy. preset: with the seed of this copy."""

    preset: Preset
    name: str
    settings: InProcessSettings
    max_interactions: int | None

    def run(self, feed: SimulatedFeed | None = None, tell: Tell = lambda *_: None) -> tuple[ArmRecord, float]:
        """Return the record and the seconds that it took; feed: takes the place of the policy's own."""
        world = World(self.preset.world)
        policy = "online" if self.name == WITHOUT_BOTS else self.name
        faiss.omp_set_num_threads(1)
        with threadpool_limits(1), _old_objects_set_aside():  # small matrices: threads only wait
            chosen = feed or feed_of(policy, world, self.settings)
            started = time.perf_counter()
            record = run_copy(
                self.preset,
                world,
                chosen,
                max_interactions=self.max_interactions,
                with_bots=self.name != WITHOUT_BOTS,
                advance=lambda share: tell(self.name, self.preset.world.seed, share),
            )
            return record, time.perf_counter() - started


@contextmanager
def _old_objects_set_aside() -> Iterator[None]:
    """Spare the collector what was there before, half a million objects of imported modules, and let it look
    less often: a copy makes many objects that stay and few that need it. Both were a tenth of its time."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def run_in_processes(copies: Sequence[Copy], processes: int) -> Iterator[tuple[ArmRecord, float]]:
    """Run several at once and yield what each gave, in their order.

    Processes are spawned, not forked: threads of numpy, torch and faiss do not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(_run, copies)


def _run(copy: Copy) -> tuple[ArmRecord, float]:
    return copy.run()
