"""Whom this replica served last: the sample on which changes are tried."""

from __future__ import annotations


class RecentPeople:
    """The last `num_kept` people, each once."""

    def __init__(self, num_kept: int = 200) -> None:
        self._num_kept = num_kept
        self._people: dict[str, None] = {}

    def saw(self, user_id: str) -> None:
        self._people.pop(user_id, None)
        self._people[user_id] = None
        if len(self._people) > self._num_kept:
            del self._people[next(iter(self._people))]

    def newest(self, count: int) -> list[str]:
        """Return up to `count` people, who came last first."""
        return list(self._people)[::-1][:count]
