"""Whether the intervals of off-policy estimators hold the truth as often as they say, where it is known."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray
from monitoring.off_policy import Estimator, LoggedRows, estimate_value

ESTIMATORS: tuple[Estimator, ...] = ("ips", "snips", "dr")


class CoverageSettings(BaseModel):
    """A person has one of `contexts` tastes and a mood of their own; a policy picks one of `actions`.

    visits: mean rows of a person. model_error: standard deviation of what the reward model gets wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: int = Field(default=200, ge=1)
    people: int = Field(default=400, ge=2)
    visits: float = Field(default=3.0, gt=0)
    contexts: int = Field(default=12, ge=1)
    actions: int = Field(default=8, ge=2)
    mood: float = Field(default=0.1, ge=0)
    model_error: float = Field(default=0.1, ge=0)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = 0


class LoggedBandit:
    """A world whose every expected reward is known."""

    def __init__(self, settings: CoverageSettings) -> None:
        self._settings = settings
        generator = np.random.default_rng(settings.seed)
        shape = (settings.contexts, settings.actions)
        self._means = generator.uniform(0.2, 0.8, size=shape)
        self._model = np.clip(self._means + generator.normal(0, settings.model_error, size=shape), 0, 1)
        self._logging = _softmax(generator.normal(0, 0.7, size=shape))
        self._target = _softmax(4 * self._means)

    @property
    def truth(self) -> float:
        """The target policy's value; people of all tastes come equally often."""
        return float((self._target * self._means).sum(axis=1).mean())

    def log(self, seed: int) -> LoggedRows:
        settings = self._settings
        generator = np.random.default_rng([settings.seed, seed])
        rows_of = 1 + generator.poisson(settings.visits - 1, size=settings.people)
        person = np.repeat(np.arange(settings.people), rows_of)
        context = generator.integers(settings.contexts, size=settings.people)[person]
        mood = generator.uniform(-settings.mood, settings.mood, size=settings.people)[person]
        edges = np.cumsum(self._logging, axis=1)[context]
        action = (generator.random(len(person))[:, None] > edges[:, :-1]).sum(axis=1)
        chance = self._means[context, action] + mood
        return LoggedRows(
            rewards=(generator.random(len(person)) < chance).astype(np.float64),
            propensities=self._logging[context, action],
            target_propensities=self._target[context, action],
            clusters=person,
            predicted=self._model[context, action],
            predicted_target=(self._target * self._model).sum(axis=1)[context],
        )


def estimator_coverage(settings: CoverageSettings) -> dict[str, float]:
    """Return, by estimator, the share of runs whose interval holds the truth, and the mean width."""
    bandit = LoggedBandit(settings)
    held = dict.fromkeys(ESTIMATORS, 0)
    widths = dict.fromkeys(ESTIMATORS, 0.0)
    for run in range(settings.runs):
        rows = bandit.log(run)
        for estimator in ESTIMATORS:
            estimate = estimate_value(rows, estimator, confidence=settings.confidence)
            held[estimator] += estimate.low <= bandit.truth <= estimate.high
            widths[estimator] += estimate.high - estimate.low
    report = {f"{estimator}_coverage": held[estimator] / settings.runs for estimator in ESTIMATORS}
    report |= {f"{estimator}_width": widths[estimator] / settings.runs for estimator in ESTIMATORS}
    return report


def _softmax(scores: DoubleArray) -> DoubleArray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)
