"""How quickly and how surely each model ranks: what its guardrails look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_MOST_TIMES = 4_096


@dataclass(slots=True)
class _ModelPulse:
    answers: int = 0
    failures: int = 0
    milliseconds: list[float] = field(default_factory=list)


class AnswerPulse:
    """Counts since the last `take`. Only ranking: a model has no part in a broker or store being away."""

    def __init__(self) -> None:
        self._models: dict[str, _ModelPulse] = {}

    def ranked(self, model_id: str, seconds: float, answers: int, failures: int) -> None:
        """Count rankings that took so long together; failures: how many of them raised."""
        pulse = self._models.setdefault(model_id, _ModelPulse())
        pulse.answers += answers
        pulse.failures += failures
        room = max(_MOST_TIMES - len(pulse.milliseconds), 0)
        pulse.milliseconds += [seconds * 1e3 / answers] * min(answers, room)

    def take(self) -> dict[str, dict[str, Any]]:
        """Return answers, failures and milliseconds of each by model, and begin anew."""
        taken, self._models = self._models, {}
        return {
            model_id: {
                "answers": pulse.answers,
                "failures": pulse.failures,
                "milliseconds": pulse.milliseconds,
            }
            for model_id, pulse in taken.items()
        }
