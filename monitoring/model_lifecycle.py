"""The stage of one model, every change of it with who, when and why, and a decision that waits for a yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from monitoring.promotion import (
    Decision,
    PromotionSettings,
    Step,
    decide_canary,
    decide_production,
    decide_shadow,
)
from monitoring.promotion_evidence import CanaryEvidence, ProductionEvidence, ShadowEvidence, Stage

RULES = "rules"
"""Who changed a stage where no person did."""

ALLOWED: dict[Stage, frozenset[Stage]] = {
    Stage.SHADOW: frozenset({Stage.CANARY, Stage.STOPPED, Stage.PRODUCTION}),
    Stage.CANARY: frozenset({Stage.PRODUCTION, Stage.SHADOW, Stage.STOPPED}),
    Stage.PRODUCTION: frozenset({Stage.STOPPED, Stage.SHADOW}),
    Stage.STOPPED: frozenset({Stage.SHADOW}),
}
"""Shadow to production at once only by a person: the rules never jump. Stopped models start over."""


class TransitionError(ValueError):
    """A stage cannot be changed as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Transition:
    """time: epoch seconds. by: a person, or RULES."""

    time: float
    before: Stage
    after: Stage
    by: str
    reasons: tuple[str, ...]
    numbers: dict[str, float]

    def to_wire(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "before": self.before.value,
            "after": self.after.value,
            "by": self.by,
            "reasons": list(self.reasons),
            "numbers": self.numbers,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Transition:
        return cls(
            time=float(wire["time"]),
            before=Stage(wire["before"]),
            after=Stage(wire["after"]),
            by=wire["by"],
            reasons=tuple(wire["reasons"]),
            numbers=dict(wire["numbers"]),
        )


class ModelLifecycle:
    """A state machine without a clock. history: oldest first. since: when the stage began, epoch seconds."""

    def __init__(self, stage: Stage, since: float, settings: PromotionSettings) -> None:
        self.settings = settings
        self.stage = stage
        self.since = since
        self.history: list[Transition] = []
        self.waiting: Decision | None = None
        """For somebody's yes or no."""

    def consider(
        self,
        evidence: ShadowEvidence | CanaryEvidence | ProductionEvidence,
        now: float,
        *,
        hold: str | None = None,
    ) -> tuple[Decision, Transition | None]:
        """Decide, and take the step unless it needs a yes. hold: why no model may advance just now.

        Raises TransitionError for evidence of another stage. A decision that waits is replaced by what newer
        evidence says.
        """
        if isinstance(evidence, ShadowEvidence) and self.stage is Stage.SHADOW:
            decision = decide_shadow(evidence, self.settings)
        elif isinstance(evidence, CanaryEvidence) and self.stage is Stage.CANARY:
            decision = decide_canary(evidence, self.settings)
        elif isinstance(evidence, ProductionEvidence) and self.stage is Stage.PRODUCTION:
            decision = decide_production(evidence, self.settings)
        else:
            raise TransitionError(f"{type(evidence).__name__} says nothing about a model in {self.stage}")
        self.waiting = None
        if hold is not None and decision.step is Step.ADVANCE:
            decision = replace(
                decision, step=Step.WAIT, next_stage=self.stage, needs_approval=False,
                reasons=(*decision.reasons, hold),
            )  # fmt: skip
        if decision.step is Step.WAIT:
            return decision, None
        if decision.needs_approval:
            self.waiting = decision
            return decision, None
        return decision, self._change(decision.next_stage, now, RULES, decision.reasons, decision.numbers)

    def approve(self, now: float, by: str) -> Transition:
        """Say yes to the decision that waits. Raises TransitionError if none does."""
        if self.waiting is None:
            raise TransitionError("no decision waits for approval")
        decision, self.waiting = self.waiting, None
        return self._change(decision.next_stage, now, by, decision.reasons, decision.numbers)

    def decline(self) -> None:
        """Say no: the model stays, until newer evidence asks again. Raises TransitionError if none waits."""
        if self.waiting is None:
            raise TransitionError("no decision waits for approval")
        self.waiting = None

    def command(self, stage: Stage, now: float, by: str, why: str) -> Transition:
        """Change the stage as a person says. Raises TransitionError where that is no way to go."""
        if stage not in ALLOWED[self.stage]:
            ways = ", ".join(sorted(ALLOWED[self.stage]))
            raise TransitionError(f"a model in {self.stage} cannot go to {stage}: only to {ways}")
        self.waiting = None
        return self._change(stage, now, by, (why,), {})

    def restore(self, now: float, by: str, why: str) -> Transition:
        """Make it production again whatever it is now, because nothing else can be."""
        self.waiting = None
        return self._change(Stage.PRODUCTION, now, by, (why,), {})

    def _change(
        self, stage: Stage, now: float, by: str, reasons: tuple[str, ...], numbers: dict[str, float]
    ) -> Transition:
        transition = Transition(now, self.stage, stage, by, reasons, numbers)
        self.history.append(transition)
        self.stage, self.since = stage, now
        return transition

    def to_wire(self) -> dict[str, Any]:
        """Return what the registry keeps."""
        return {
            "stage": self.stage.value,
            "since": self.since,
            "history": [transition.to_wire() for transition in self.history],
            "waiting": None if self.waiting is None else self.waiting.to_wire(),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], settings: PromotionSettings) -> ModelLifecycle:
        lifecycle = cls(Stage(wire["stage"]), float(wire["since"]), settings)
        lifecycle.history = [Transition.from_wire(transition) for transition in wire["history"]]
        waiting = wire.get("waiting")
        lifecycle.waiting = None if waiting is None else Decision.from_wire(waiting)
        return lifecycle
