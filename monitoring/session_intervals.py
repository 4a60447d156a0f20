"""Sessions of everybody, exact in whatever order events come.

A session is a run of events of one person with gaps of at most 30 minutes. Kept as intervals that merge, it
does not matter which event is heard of first. Sums by day follow every change, so reading them costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.arrays import IdArray, IntArray

DAY_MS = 86_400_000


class SessionIntervals:
    """A session belongs to the day (UTC) on which it starts. Times are whole milliseconds since 1970."""

    def __init__(self, gap_ms: int) -> None:
        self._gap = gap_ms
        self._open: dict[int, list[tuple[int, int]]] = {}
        """By person: first and last event of each session that may still grow, in order."""
        self._days: dict[int, list[int]] = {}
        """By day: number of sessions, and their lengths' sum in milliseconds."""

    def add(self, user_keys: IdArray, times_ms: IntArray) -> None:
        """Take in n events."""
        order = np.lexsort((times_ms, user_keys))
        people, times = user_keys[order].tolist(), times_ms[order].tolist()
        start = 0
        for end in range(1, len(people) + 1):
            if end == len(people) or people[end] != people[start]:
                self._merge(people[start], times[start:end])
                start = end

    def settle(self, before_ms: int) -> None:
        """Forget sessions that no event from `before_ms` on can reach; their day keeps its sums."""
        for person, sessions in list(self._open.items()):
            growing = [session for session in sessions if session[1] >= before_ms - self._gap]
            if not growing:
                del self._open[person]
            elif len(growing) < len(sessions):
                self._open[person] = growing

    def forget_days(self, before: int) -> None:
        self._days = {day: sums for day, sums in self._days.items() if day >= before}

    def number(self, day: int) -> int:
        return self._days.get(day, (0, 0))[0]

    def seconds(self, day: int) -> float:
        """Return the day's sessions' lengths in seconds; a session of one event has none."""
        return self._days.get(day, (0, 0))[1] / 1000

    def _merge(self, person: int, times: list[int]) -> None:
        sessions = self._open.setdefault(person, [])
        gap = self._gap
        untouched = len(sessions)  # from the newest back, since most events are new
        while untouched and sessions[untouched - 1][1] >= times[0] - gap:
            untouched -= 1
        touched = sessions[untouched:]
        if len(times) == len(touched) == 1 and touched[0][0] <= times[0] <= touched[0][1] + gap:
            first, last = touched[0]  # nearly all events: they make the newest session longer
            if times[0] > last:
                sessions[-1] = (first, times[0])
                self._days.setdefault(first // DAY_MS, [0, 0])[1] += times[0] - last
            return
        merged: list[tuple[int, int]] = []
        for first, last in sorted([*touched, *((time, time) for time in times)]):
            if merged and first - merged[-1][1] <= gap:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        for session in touched:
            self._count(session, -1)
        for session in merged:
            self._count(session, 1)
        sessions[untouched:] = merged

    def _count(self, session: tuple[int, int], sign: int) -> None:
        sums = self._days.setdefault(session[0] // DAY_MS, [0, 0])
        sums[0] += sign
        sums[1] += sign * (session[1] - session[0])

    def to_wire(self) -> dict[str, Any]:
        """Return arrays; equal states give equal ones."""
        rows = [(person, *session) for person in sorted(self._open) for session in self._open[person]]
        days = [(day, *sums) for day, sums in sorted(self._days.items()) if sums[0]]
        return {
            "gap": self._gap,
            "people": np.array([row[0] for row in rows], dtype=np.uint64),
            "intervals": np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 2),
            "days": np.array(days, dtype=np.int64).reshape(-1, 3),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SessionIntervals:
        intervals = cls(wire["gap"])
        for person, (first, last) in zip(wire["people"].tolist(), wire["intervals"].tolist(), strict=True):
            intervals._open.setdefault(person, []).append((first, last))
        intervals._days = {day: [number, length] for day, number, length in wire["days"].tolist()}
        return intervals
