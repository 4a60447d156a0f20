"""Policies on paired worlds, seed after seed: what `foryou simulate` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from messages.arrays import DoubleArray
from serve_app.pipeline.candidate_limit_filter import CandidateLimitSettings
from serve_app.pipeline.default_pipeline import PipelineSettings
from serve_app.pipeline.two_tower_source import TwoTowerSettings
from serve_app.pipeline.weighted_sum_scorer import WeightedSumSettings
from simulations.arm_record import ArmRecord
from simulations.copies import WITHOUT_BOTS, Copy, Tell, run_in_processes
from simulations.in_process import InProcessSettings
from simulations.presets import Preset
from simulations.recovery import Recoveries, lost_after_jump, recoveries
from simulations.simulated_feeds import SimulatedFeed, names_of
from simulations.simulation_measures import (
    Estimate,
    gap_closed,
    new_good_reached,
    suppressed_regained,
)
from simulations.world import World

SYSTEM_SETTINGS = InProcessSettings(
    num_shards=1,
    pipeline=PipelineSettings(
        two_tower=TwoTowerSettings(num_candidates=150),
        candidate_limit=CandidateLimitSettings(max_candidates=250),
        weighted_sum=WeightedSumSettings(head_weights={"engage": 1.0}),
    ),
)
"""A simulated catalogue has about 2,000 contents: 250 candidates are an eighth of it. What is measured is
views, and that is what the oracle orders by, so the system is told to order by them too. Buckets decide what
comes of a row, not shards: a second shard would halve every call and change nothing."""


@dataclass(slots=True)
class SimulationResult:
    """Records by seed and policy. seconds: of the clock, by policy."""

    preset: Preset
    names: tuple[str, ...]
    records: list[dict[str, ArmRecord]] = field(default_factory=list)
    worlds: list[World] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def curve(self, name: str, quantity: str) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Return hours, the mean over seeds, and its standard error (0 for one seed), float64 [bins]."""
        return self.curve_of(name, lambda record: record.curves()[quantity])

    def curve_of(
        self, name: str, measure: Callable[[ArmRecord], DoubleArray]
    ) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Return the same of any measure that gives a value a bin, NaN where nothing is known."""
        curves = np.array([measure(records[name]) for records in self.records])
        known = np.isfinite(curves)
        count = known.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(known, curves, 0.0).sum(axis=0) / count
            spread = np.where(known, (curves - mean) ** 2, 0.0).sum(axis=0)
            error = np.sqrt(spread / np.maximum(count - 1, 1) / count)
        return self.records[0][name].hours(), mean, error

    def estimates(self, measure: Callable[[ArmRecord], float]) -> dict[str, Estimate]:
        """Return a measure of every policy, with its interval over seeds."""
        return {
            name: Estimate.of([measure(records[name]) for records in self.records]) for name in self.names
        }

    def gaps(self) -> dict[str, Estimate]:
        by_seed = [gap_closed(records) for records in self.records]
        return {name: Estimate.of([gaps[name] for gaps in by_seed]) for name in self.names}

    def report(self) -> dict[str, Any]:
        """Return everything measured, the same for the same seeds: no clock is in it.

        gap_closed and others: the mean by policy; *_interval: its 95% interval over seeds.
        """
        report: dict[str, Any] = {
            "preset": self.preset.name,
            "people": self.preset.world.num_people,
            "hours": self.preset.hours,
            "seeds": len(self.records),
        }
        quantities = {
            "gap_closed": self.gaps(),
            "engagement": self.estimates(ArmRecord.engagement),
            "retention": self.estimates(ArmRecord.retention),
            "watch_minutes": self.estimates(lambda record: record.total("seconds") / 60),
            "sessions": self.estimates(lambda record: record.total("sessions")),
            "interactions": self.estimates(lambda record: float(record.num_interactions)),
            **self._of_preset(),
        }
        for key, by_policy in quantities.items():
            report[key] = {name: estimate.mean for name, estimate in by_policy.items()}
            report[f"{key}_interval"] = {name: estimate.interval() for name, estimate in by_policy.items()}
        return report

    def _of_preset(self) -> dict[str, dict[str, Estimate]]:
        dynamics = self.preset.world.dynamics
        measures: dict[str, dict[str, Estimate]] = {}
        if dynamics.jump_hours:
            hours = dynamics.jump_hours
            found = self.recoveries()
            measures["recovery_interactions"] = found.own_level
            if found.online_level:
                measures["recovery_to_online"] = found.online_level
                measures["back_after_online"] = found.after_online
            measures["lost_after_jump"] = self.estimates(lambda record: lost_after_jump(record, hours))
        if dynamics.uploaded_later:
            measures["new_good_reached"] = self.new_good()
        if dynamics.suppressed_topics:
            measures["suppressed_regained"] = self._against_oracle(suppressed_regained)
        if WITHOUT_BOTS in self.records[0]:
            effects = [
                records["online"].engagement(0) / records[WITHOUT_BOTS].engagement(0) - 1
                for records in self.records
            ]
            measures["bot_effect"] = {"online": Estimate.of(effects)}
        return measures

    def recoveries(self) -> Recoveries:
        """Return how soon every policy is back after a jump of tastes, over all seeds."""
        by_policy = {name: [records[name] for records in self.records] for name in self.names}
        return recoveries(by_policy, self.preset.world.dynamics.jump_hours)

    def new_good(self) -> dict[str, Estimate]:
        """Return the share of new good contents that came to their due, by policy."""
        return self._against_oracle(
            lambda record, oracle, world: new_good_reached(record, oracle, self.preset, world)
        )

    def _against_oracle(self, measure: Callable[[ArmRecord, ArmRecord, World], float]) -> dict[str, Estimate]:
        pairs = list(zip(self.records, self.worlds, strict=True))
        return {
            name: Estimate.of([measure(records[name], records["oracle"], world) for records, world in pairs])
            for name in self.names
        }

    def interactions_per_s(self) -> dict[str, float]:
        """Return contents shown per second of the clock, by policy, everything that follows included."""
        return {
            name: sum(records[name].num_interactions for records in self.records) / seconds
            for name, seconds in self.seconds.items()
        }


def simulate(
    preset: Preset,
    *,
    against: Sequence[str],
    seeds: Sequence[int] = (0,),
    settings: InProcessSettings = SYSTEM_SETTINGS,
    max_interactions: int | None = None,
    feeds: Mapping[str, SimulatedFeed] | None = None,
    processes: int = 1,
    tell: Tell = lambda *_: None,
) -> SimulationResult:
    """Run every policy on its copy of the world of every seed; random and oracle are always there.

    feeds: takes the place of a policy's own, for one seed (a recorder, or a system over HTTP). processes:
    copies that run at once, each in a process of its own where there are several; the result is the same.
    Raises ValueError for a policy that is not known.
    """
    names = names_of(tuple(against))
    result = SimulationResult(preset, names)
    copies = []
    for seed in seeds:
        sown = preset.with_size(seed=seed)
        result.worlds.append(World(sown.world))
        result.records.append({})
        copies += [Copy(sown, name, settings, max_interactions) for name in names]
        if result.worlds[-1].num_bots and "online" in names:
            copies.append(Copy(sown, WITHOUT_BOTS, settings, max_interactions))
    if processes > 1 and not feeds:
        done: Iterator[tuple[ArmRecord, float]] = run_in_processes(copies, processes)
    else:
        done = (copy.run((feeds or {}).get(copy.name), tell) for copy in copies)
    for copy, (record, seconds) in zip(copies, done, strict=True):
        result.records[list(seeds).index(copy.preset.world.seed)][copy.name] = record
        result.seconds[copy.name] = result.seconds.get(copy.name, 0.0) + seconds
        tell(copy.name, copy.preset.world.seed, 1.0)
    return result
