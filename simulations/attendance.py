"""When people open the app, when they leave it, and whether they come back: satisfaction decides.

With v the pleasure of a slate (mean over its contents of satisfaction where viewed, 0 where skipped) and S
its running mean over slates, S <- S + 0.3 (v - S), S = 0.4 at first:

    P(leave after a slate) = sigmoid(-patience - leave_weight (v - 0.4))
    P(back today)          = sigmoid(return_bias + return_weight (S - 0.4))
    gap                    = Exp(gap_hours / activity(u)) when back today,
                             else Exp(away_hours) + away_hours / 2

A session is therefore longer, and the next one sooner, where the feed is good. Draws are hashes of (seed,
person, slate or session), so copies of a person under different feeds have the same luck.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from simulations.dynamics import HOUR
from simulations.hashed_draws import uniform_draws

_LEAVE = np.array([401], dtype=np.uint64)
_BACK = np.array([402, 403], dtype=np.uint64)
_START = np.array([404], dtype=np.uint64)
_NEUTRAL = 0.4
_MEMORY = 0.3


class AttendanceSettings(BaseModel):
    """Hours of the world; weights in log-odds per unit of pleasure, which lies in [0, 1]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patience: float = 1.4
    leave_weight: float = 2.5
    return_bias: float = 1.0
    return_weight: float = 4.0
    gap_hours: float = Field(default=2.5, gt=0)
    away_hours: float = Field(default=16.0, gt=0)
    seconds_between: float = Field(default=1.0, ge=0)
    """Passing from one content to the next."""


class Attendance:
    """One person's comings and goings in one copy of the world."""

    def __init__(self, settings: AttendanceSettings, seed: int, person: int, activity: float) -> None:
        self._settings = settings
        self._seed = seed
        self._person = person
        self._activity = activity
        self.satisfaction = _NEUTRAL
        self.num_slates = 0
        self.num_sessions = 0

    def first_visit(self, arrival: float) -> float:
        """Return the world's second of the first visit, at or after `arrival`."""
        draw = self._draw(_START, 0)[0]
        return arrival - float(np.log1p(-draw)) * self._settings.gap_hours * HOUR / self._activity

    def leaves_after(self, pleasure: float) -> bool:
        """Take in one slate's pleasure and say whether the session ends with it."""
        settings = self._settings
        self.num_slates += 1
        self.satisfaction += _MEMORY * (pleasure - self.satisfaction)
        draw = self._draw(_LEAVE, self.num_slates)[0]
        return bool(draw < _sigmoid(-settings.patience - settings.leave_weight * (pleasure - _NEUTRAL)))

    def gap_seconds(self) -> float:
        """End the session; return how long the person stays away."""
        settings = self._settings
        self.num_sessions += 1
        back, gap = self._draw(_BACK, self.num_sessions)
        waiting = -float(np.log1p(-gap)) * HOUR
        chance = _sigmoid(settings.return_bias + settings.return_weight * (self.satisfaction - _NEUTRAL))
        if back < chance:
            return waiting * settings.gap_hours / self._activity
        return (waiting + HOUR / 2) * settings.away_hours

    def _draw(self, purposes: np.ndarray, number: int) -> list[float]:
        numbers = np.array([number], dtype=np.uint64)
        draws: list[float] = uniform_draws(self._seed, purposes, numbers, self._person)[:, 0].tolist()
        return draws


def _sigmoid(log_odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-log_odds)))
