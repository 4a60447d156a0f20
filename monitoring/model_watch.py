"""How each model does on the rows that all of them learn: its health, and a shadow against production."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import ByteArray, FloatArray, IntArray
from messages.examples import HEAD_INDEX, HEADS, LabelKind
from messages.promises import Promises
from monitoring.alert_rules import AlertChange, AlertEvaluator, AlertRule, AlertState
from monitoring.progressive_metrics import Calibration
from monitoring.promotion_evidence import HealthReading, health_of
from monitoring.shadow_comparison import ShadowComparison, row_losses

_ENGAGE = HEAD_INDEX["engage"]
_CALIBRATION_HALF_LIFE = 5_000.0
_MIN_ROWS = 100
"""A loss is normalized by what happened in as many rows as these or more: in a few, as they come when traffic
ends, hardly anything is uncertain, and any loss would be many times too much."""
_SURE = np.array([LabelKind.OBSERVED_NEGATIVE, LabelKind.OBSERVED_POSITIVE], dtype=np.uint8)


def normalized_loss(loss: float, happened: IntArray) -> float:
    """Return a summed loss by that of promising every head's own rate, to everybody (normalized entropy: He
    et al., "Practical lessons from predicting clicks on ads at Facebook", ADKDD 2014); NaN where nothing was
    uncertain.

    loss: nats. happened: int64 [2, heads], negatives and positives. Another feed has other rates, and with
    them another loss, which says nothing of the model.
    """
    counts = happened.astype(np.float64)
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    entropy = -float((counts * np.log(np.where(shares > 0, shares, 1.0))).sum())
    return loss / entropy if entropy > 0 else float("nan")


class ModelWatch:
    """The health of one group: what its promises were worth and how it ranked, looked at now and then."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._evaluator = AlertEvaluator(rules)
        self._calibration = Calibration(_CALIBRATION_HALF_LIFE)
        self._losses = 0.0
        self._num_losses = 0
        self._normalized_losses = 0.0
        self._num_rows = 0
        self._happened = np.zeros((2, len(HEADS)), dtype=np.int64)
        """Of each head: how often it did not come about, and how often it did. Losses, rows and this: since
        a loss was normalized last."""
        self._answers = 0
        self._failures = 0
        self._milliseconds: list[float] = []
        self.values: dict[str, float] = {}
        """What the last look saw, NaN where nothing came since the look before, or too little."""

    def add(self, promises: Promises) -> None:
        """Count rows that the model scored before it learned them."""
        losses, numbers = row_losses(promises.labels, promises.probabilities)
        self._losses += float(losses.sum())
        self._num_losses += int(numbers.sum())
        self._normalized_losses += float(losses.sum())
        self._num_rows += int((numbers > 0).sum())
        self._happened += [(promises.labels == kind).sum(axis=0) for kind in _SURE]
        labels = promises.labels[:, _ENGAGE]
        sure = np.isin(labels, _SURE)
        self._calibration.add(
            promises.probabilities[sure, _ENGAGE], labels[sure] == LabelKind.OBSERVED_POSITIVE
        )

    def add_answers(self, answers: int, failures: int, milliseconds: Sequence[float]) -> None:
        """Count what a replica ranked with the model."""
        self._answers += answers
        self._failures += failures
        self._milliseconds += milliseconds

    @property
    def calibration(self) -> float:
        """Promised by happened, of engage; NaN before anything happened."""
        return self._calibration.value()

    def look(self, now: float) -> list[AlertChange]:
        """Read what came since the last look; return which guardrails began or ceased to fire."""
        nan = float("nan")
        self.values = {
            "progressive_loss": self._losses / self._num_losses if self._num_losses else nan,
            "normalized_loss": self._normalized_loss(),
            "calibration": self.calibration if self._num_losses else nan,
            "error_rate": self._failures / self._answers if self._answers else nan,
            "latency_p95_ms": float(np.quantile(self._milliseconds, 0.95)) if self._milliseconds else nan,
        }
        self._losses, self._num_losses = 0.0, 0
        self._answers, self._failures, self._milliseconds = 0, 0, []
        self._evaluator.add(now, self.values)
        return self._evaluator.evaluate(now)

    def _normalized_loss(self) -> float:
        """Return the loss since the last that was normalized, NaN while that is of too few rows."""
        if self._num_rows < _MIN_ROWS:
            return float("nan")
        loss = normalized_loss(self._normalized_losses, self._happened)
        self._normalized_losses, self._num_rows = 0.0, 0
        self._happened[:] = 0
        return loss

    def health(self, now: float) -> tuple[HealthReading, ...]:
        """Return every guardrail as it stands."""
        return health_of(self._evaluator.readings(now))

    def bad_since(self, now: float) -> float | None:
        """Return before when all was well, epoch seconds, None where nothing fires: what was seen then had
        come in the window before the rule's condition was first met."""
        firing = [
            reading.rule for reading in self._evaluator.readings(now) if reading.state is AlertState.FIRING
        ]
        return min(
            (self._evaluator.met_since(rule.name, now) - rule.window_seconds for rule in firing),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class _Said:
    user_key: int
    labels: ByteArray
    probabilities: FloatArray


class PairedShadow:
    """Pairs what production and one shadow said of the same rows, whichever of the two was first.

    A row that only one of them has said something of waits for the other, the newest `max_waiting` of each.
    """

    def __init__(self, comparison: ShadowComparison, max_waiting: int = 20_000) -> None:
        self.comparison = comparison
        self._max_waiting = max_waiting
        self._waiting: tuple[OrderedDict[int, _Said], OrderedDict[int, _Said]] = (
            OrderedDict(),
            OrderedDict(),
        )

    def add(self, promises: Promises, *, is_production: bool) -> int:
        """Take in what one of the two said; return how many rows both have spoken of now."""
        own, other = self._waiting if is_production else self._waiting[::-1]
        pairs: list[tuple[_Said, _Said]] = []
        for place, key in enumerate(promises.row_keys.tolist()):
            said = _Said(
                int(promises.user_keys[place]), promises.labels[place], promises.probabilities[place]
            )
            twin = other.pop(key, None)
            if twin is None:
                own[key] = said
            else:
                pairs.append((said, twin) if is_production else (twin, said))
        while len(own) > self._max_waiting:
            own.popitem(last=False)
        if pairs:
            self.comparison.add(
                np.array([first.user_key for first, _ in pairs], dtype=np.uint64),
                np.stack([first.labels for first, _ in pairs]),
                np.stack([first.probabilities for first, _ in pairs]),
                np.stack([second.probabilities for _, second in pairs]),
            )
        return len(pairs)


def summary_of(watches: Mapping[str, ModelWatch]) -> dict[str, dict[str, float]]:
    """Return what each group's last look saw."""
    return {group: dict(watch.values) for group, watch in watches.items()}
