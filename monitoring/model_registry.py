"""Which models there are and what each is for: always exactly one production, and every change on record.

No clock, no store: whoever owns it keeps `to_wire` durably before acting on what it returned, so that a crash
in between acts again and does not forget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.experiment_assignment import ArmSettings, AssignmentSettings, ExperimentSettings
from monitoring.model_lifecycle import ModelLifecycle, Transition, TransitionError
from monitoring.promotion import Decision, PromotionSettings
from monitoring.promotion_evidence import CanaryEvidence, ProductionEvidence, ShadowEvidence, Stage


@dataclass(slots=True)
class RegisteredModel:
    """origin: where its weights came from, in words. lineage: rises by one where weights are put back to a
    snapshot. canary_start: where its people begin in the layer, None outside the canary."""

    model_id: str
    origin: str
    created: float
    lifecycle: ModelLifecycle
    lineage: int = 0
    canary_start: float | None = None
    is_retired: bool = False


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """opens_lineage: the model's weights must be put back to its last good snapshot."""

    model_id: str
    transition: Transition
    opens_lineage: bool = False


class ModelRegistry:
    """canary_share: of all people who see a canary; as many are its control."""

    def __init__(self, settings: PromotionSettings, canary_share: float = 0.05) -> None:
        if not 0 < canary_share <= 0.5:
            raise ValueError(f"canary_share {canary_share}: must lie in (0, 0.5], the control needs as many")
        self.settings = settings
        self.canary_share = canary_share
        self.models: dict[str, RegisteredModel] = {}
        self.former: list[str] = []
        """What was production before, newest last: where a rollback goes."""

    @property
    def production(self) -> str:
        """Raises LookupError before the first model is added."""
        for model_id, model in self.models.items():
            if model.lifecycle.stage is Stage.PRODUCTION:
                return model_id
        raise LookupError("no model has been added yet")

    def add(self, model_id: str, origin: str, now: float) -> RegisteredModel:
        """Register a model: the first one is production, all others begin as shadows.

        Raises TransitionError where the name is taken, also by one that is retired, or is none.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", model_id):
            raise TransitionError(f"{model_id!r}: a name has letters, digits and _ . - only, at most 100")
        if model_id in self.models:
            raise TransitionError(f"there is a model {model_id} already")
        stage = Stage.SHADOW if self.models else Stage.PRODUCTION
        lifecycle = ModelLifecycle(stage, now, self.settings)
        self.models[model_id] = RegisteredModel(model_id, origin, now, lifecycle)
        return self.models[model_id]

    def consider(
        self, model_id: str, evidence: ShadowEvidence | CanaryEvidence | ProductionEvidence, now: float
    ) -> tuple[Decision, list[RegistryChange]]:
        """Decide about one model, and change what follows. Raises TransitionError."""
        model = self._model(model_id)
        former = self.production
        is_full = isinstance(evidence, ShadowEvidence) and not self._free_ranges()
        hold = "other canaries have all the people" if is_full else None
        decision, transition = model.lifecycle.consider(evidence, now, hold=hold)
        if transition is None:
            return decision, []
        return decision, self._follow_up(model, transition, former)

    def approve(self, model_id: str, now: float, by: str) -> list[RegistryChange]:
        """Say yes to what waits. Raises TransitionError."""
        model, former = self._model(model_id), self.production
        waiting = model.lifecycle.waiting
        self._check_room(waiting.next_stage if waiting else None)
        return self._follow_up(model, model.lifecycle.approve(now, by), former)

    def command(self, model_id: str, stage: Stage, now: float, by: str, why: str) -> list[RegistryChange]:
        """Change a stage as a person says. Raises TransitionError; production only goes by `rollback`."""
        model, former = self._model(model_id), self.production
        if model_id == former:
            raise TransitionError(f"{model_id} is production: promote another, or roll back")
        self._check_room(stage)
        return self._follow_up(model, model.lifecycle.command(stage, now, by, why), former)

    def rollback(self, now: float, by: str, why: str) -> list[RegistryChange]:
        """Put production back to what it was before."""
        model = self._model(self.production)
        transition = model.lifecycle.command(Stage.STOPPED, now, by, why)
        return self._follow_up(model, transition, model.model_id)

    def retire(self, model_id: str) -> None:
        """Give a stopped model's room back; its history stays. Raises TransitionError."""
        model = self._model(model_id)
        if model.lifecycle.stage is not Stage.STOPPED:
            raise TransitionError(f"{model_id} is in {model.lifecycle.stage}: stop it first")
        model.is_retired = True
        self.former = [name for name in self.former if name != model_id]

    def assignment(self, holdout_share: float = 0.0) -> AssignmentSettings:
        """Return who sees what: one experiment for each canary, on people of its own."""
        experiments = []
        for model in self.models.values():
            if model.canary_start is not None:
                arms = (
                    ArmSettings(name="control", model_id=self.production),
                    ArmSettings(name="canary", model_id=model.model_id),
                )
                began = f"{model.model_id}-{model.lifecycle.since:.3f}"  # a second try is another draw
                experiments.append(
                    ExperimentSettings(
                        name=model.model_id, arms=arms, traffic=2 * self.canary_share,
                        start=model.canary_start, salt=began,
                    )
                )  # fmt: skip
        return AssignmentSettings(experiments=tuple(experiments), holdout_share=holdout_share)

    def to_wire(self) -> dict[str, Any]:
        return {
            "canary_share": self.canary_share,
            "former": self.former,
            "models": [
                {
                    "model_id": model.model_id,
                    "origin": model.origin,
                    "created": model.created,
                    "lineage": model.lineage,
                    "canary_start": model.canary_start,
                    "is_retired": model.is_retired,
                    "lifecycle": model.lifecycle.to_wire(),
                }
                for model in self.models.values()
            ],
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], settings: PromotionSettings) -> ModelRegistry:
        registry = cls(settings, wire["canary_share"])
        registry.former = list(wire["former"])
        for entry in wire["models"]:
            lifecycle = ModelLifecycle.from_wire(entry["lifecycle"], settings)
            registry.models[entry["model_id"]] = RegisteredModel(**{**entry, "lifecycle": lifecycle})
        return registry

    def _model(self, model_id: str) -> RegisteredModel:
        model = self.models.get(model_id)
        if model is None or model.is_retired:
            raise TransitionError(f"there is no model {model_id}")
        return model

    def _follow_up(self, model: RegisteredModel, transition: Transition, former: str) -> list[RegistryChange]:
        """Keep one production: who is promoted replaces, who is rolled back is replaced."""
        changes = [RegistryChange(model.model_id, transition)]
        if transition.after is Stage.PRODUCTION:
            changes.append(self._step_down(former, transition, f"{model.model_id} became production"))
            self.former.append(former)
        elif transition.before is Stage.PRODUCTION:
            changes = self._go_back(model, transition)
        model.canary_start = self._free_ranges()[0] if transition.after is Stage.CANARY else None
        return changes

    def _step_down(self, model_id: str, cause: Transition, why: str) -> RegistryChange:
        """Keep what was production learning as a shadow: the quickest way back."""
        return RegistryChange(
            model_id, self.models[model_id].lifecycle.command(Stage.SHADOW, cause.time, cause.by, why)
        )

    def _go_back(self, model: RegisteredModel, transition: Transition) -> list[RegistryChange]:
        """Let the newest former production that still learns take over; else the model's own snapshot."""
        while self.former:
            heir = self.models[self.former.pop()]
            if heir.lifecycle.stage in (Stage.SHADOW, Stage.CANARY):
                why = f"takes over from {model.model_id}"
                taken = heir.lifecycle.command(Stage.PRODUCTION, transition.time, transition.by, why)
                heir.canary_start = None
                return [RegistryChange(model.model_id, transition), RegistryChange(heir.model_id, taken)]
        model.lineage += 1
        again = model.lifecycle.restore(transition.time, transition.by, "from its last good snapshot")
        return [
            RegistryChange(model.model_id, transition),
            RegistryChange(model.model_id, again, opens_lineage=True),
        ]

    def _check_room(self, stage: Stage | None) -> None:
        if stage is Stage.CANARY and not self._free_ranges():
            raise TransitionError("other canaries have all the people")

    def _free_ranges(self) -> list[float]:
        """Return where ranges of people begin that no canary has."""
        width = 2 * self.canary_share
        taken = {model.canary_start for model in self.models.values()}
        return [place * width for place in range(int(1 / width + 1e-9)) if place * width not in taken]
