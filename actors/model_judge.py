"""Lets the rules of promotion judge each model by what was seen of it, and puts their decisions on record."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from actors.alert_sender import AlertSender
from actors.kpi_ledger import KpiLedger
from actors.model_commands import consider, move_model
from actors.model_records import LogEntry, ModelRecords
from actors.model_registry_store import ModelRegistryStore
from actors.models_settings import ModelsSettings
from messages.promises import Promises
from monitoring.experiment_assignment import ExperimentSettings
from monitoring.model_lifecycle import RULES, TransitionError
from monitoring.model_watch import ModelWatch, PairedShadow
from monitoring.promotion_evidence import CanaryEvidence, ProductionEvidence, ShadowEvidence, Stage
from monitoring.shadow_comparison import ShadowComparison

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ModelJudge:
    """Hears what learners promise and how replicas rank, and looks at all models now and then."""

    settings: ModelsSettings
    ledger: KpiLedger
    registry: ModelRegistryStore
    alerts: AlertSender
    watches: dict[str, ModelWatch] = field(default_factory=dict)
    """By group: a new lineage is watched anew."""
    _shadows: dict[tuple[str, str], PairedShadow] = field(default_factory=dict)
    """By production's group and the shadow's."""
    _records: ModelRecords | None = None

    def hear_promises(self, promises: Promises) -> None:
        """Count what a learner said of rows before it learned them."""
        self._watch(promises.group).add(promises)
        for (production, shadow), pair in self._shadows.items():
            if promises.group in (production, shadow):
                pair.add(promises, is_production=promises.group == production)

    def hear_pulse(self, pulse: dict[str, dict[str, Any]]) -> None:
        """Count how a replica ranked, by model."""
        for model_id, ranked in pulse.items():
            if self._records is not None and model_id in self._records.registry.models:
                watch = self._watch(self._records.group(model_id))
                watch.add_answers(ranked["answers"], ranked["failures"], ranked["milliseconds"])

    async def look(self, now: float) -> dict[str, str]:
        """Judge every model once; return the rules' words by model. now: epoch seconds."""
        records = self._records = await self.registry.load()
        self._follow(records)
        for group, watch in self.watches.items():
            for change in watch.look(now):
                await self.alerts.send(change.rule.severity, f"{group}: {change.words()}", now)
        words: dict[str, str] = {}
        numbers: dict[str, dict[str, float]] = {}
        experiments = self._experiments(records)
        for model_id in records.learning():
            words[model_id], numbers[model_id] = await self._judge(model_id, experiments.get(model_id), now)
        verdicts = {name: {"words": words[name], "numbers": numbers[name]} for name in words}
        await self.registry.put_verdicts(verdicts)
        return words

    async def _judge(
        self, model_id: str, experiment: ExperimentSettings | None, now: float
    ) -> tuple[str, dict[str, float]]:
        said = {"words": ""}
        watch = self._watch(self._group(model_id))

        def act(records: ModelRecords) -> list[LogEntry]:
            if model_id in records.heirs()[1:]:
                why = f"{records.heirs()[0]} is the way back now"
                return move_model(records, model_id, Stage.STOPPED, now=now, by=RULES, why=why)
            evidence = self._evidence(records, model_id, experiment, now)
            said["words"], entries = consider(
                records, model_id, evidence, now=now, bad_since=watch.bad_since(now)
            )
            return entries

        try:
            for entry in await self.registry.change(act):
                await self.alerts.send("decision", _sentence(entry), now)
        except TransitionError as error:  # nothing to judge, or somebody changed its stage this moment
            said["words"] = str(error)
        return said["words"], dict(watch.values)

    def _evidence(
        self, records: ModelRecords, model_id: str, experiment: ExperimentSettings | None, now: float
    ) -> ShadowEvidence | CanaryEvidence | ProductionEvidence:
        """Return what is known of a model in the stage that it is in."""
        lifecycle = records.model(model_id).lifecycle
        group = records.group(model_id)
        seconds = now - lifecycle.since
        watch = self._watch(group)
        if lifecycle.stage is Stage.CANARY and experiment is not None:
            reading = self.ledger.look(experiment, lifecycle.since)
            return CanaryEvidence(
                seconds=seconds,
                arm=reading.arms[0],
                can_be_trusted=reading.can_be_trusted,
                sample_ratio_p=reading.sample_ratio_p,
                health=watch.health(now),
            )
        if lifecycle.stage is Stage.PRODUCTION:
            return ProductionEvidence(seconds, watch.health(now))
        if model_id in records.heirs():
            raise TransitionError(f"kept learning as the way back from {records.production}")
        if lifecycle.stage is Stage.SHADOW:
            pair = self._shadows.get((records.group(records.production), group))
            if pair is None:
                raise TransitionError(f"{model_id} has not been compared with {records.production} yet")
            return ShadowEvidence(
                seconds=seconds,
                num_rows=pair.comparison.num_rows,
                loss=pair.comparison.look(),
                calibration=watch.calibration,
                health=watch.health(now),
            )
        raise TransitionError(f"{model_id} is in {lifecycle.stage}: there is nothing to judge yet")

    def _follow(self, records: ModelRecords) -> None:
        """Compare each shadow with what is production now; forget what is over."""
        production = records.group(records.production)
        groups = {records.group(model_id): model_id for model_id in records.learning()}
        shadows = {
            (production, group)
            for group, model_id in groups.items()
            if records.model(model_id).lifecycle.stage is Stage.SHADOW
        }
        self._shadows = {pair: self._shadows.get(pair) or self._new_pair() for pair in shadows}
        self.watches = {group: self._watch(group) for group in groups}
        running = [(name, records.model(name).lifecycle.since) for name in self._experiments(records)]
        self.ledger.keep_only(running)

    def _new_pair(self) -> PairedShadow:
        return PairedShadow(
            ShadowComparison(
                alpha=self.settings.shadow_alpha,
                min_people=self.settings.shadow_min_people,
                planned_people=self.settings.shadow_planned_people,
            )
        )

    def _experiments(self, records: ModelRecords) -> dict[str, ExperimentSettings]:
        assignment = records.registry.assignment(self.settings.holdout_share)
        return {experiment.name: experiment for experiment in assignment.experiments}

    def _group(self, model_id: str) -> str:
        assert self._records is not None
        return self._records.group(model_id)

    def _watch(self, group: str) -> ModelWatch:
        if group not in self.watches:
            self.watches[group] = ModelWatch(self.settings.health)
        return self.watches[group]


def _sentence(entry: LogEntry) -> str:
    return f"{entry.model_id}: {entry.what}, because {'; '.join(entry.why)}"
