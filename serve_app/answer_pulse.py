"""How quickly and how surely each model ranks: what its guardrails look at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
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

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._models: dict[str, _ModelPulse] = {}

    @contextlib.contextmanager
    def ranking(self, model_id: str) -> Iterator[None]:
        """Time what is done inside; what it raises counts as a failure of the model."""
        pulse = self._models.setdefault(model_id, _ModelPulse())
        started = self._timer()
        try:
            yield
        except Exception:
            pulse.failures += 1
            raise
        finally:
            pulse.answers += 1
            if len(pulse.milliseconds) < _MOST_TIMES:
                pulse.milliseconds.append((self._timer() - started) * 1e3)

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
