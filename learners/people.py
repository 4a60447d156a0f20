"""The persons of one partition whose state the joiner holds in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from learners.join_state import JoinState
from learners.user_state import UserState
from messages.identifiers import key_of

StoredStates = Mapping[str, tuple[bytes | None, bytes | None]]
"""User id -> the bytes of user state and join state, None where the store has none."""


@dataclass(slots=True, eq=False)
class Person:
    """touched: stream time. released_in: number of the release that handed out the last change."""

    key: int
    state: UserState
    join: JoinState
    touched: float
    released_in: int
    changed: bool = False


class People:
    """Loads, marks as changed, hands out and forgets; least recently changed first."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._changed: dict[str, Person] = {}
        self._num_releases = 0

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._people

    def __getitem__(self, user_id: str) -> Person:
        """Raises LookupError for somebody who was not loaded: an empty state in their place would be lost
        history."""
        person = self._people.get(user_id)
        if person is None:
            raise LookupError(f"user {user_id!r} is not loaded: ask missing_users and load_users first")
        return person

    def __len__(self) -> int:
        return len(self._people)

    def load(self, stored: StoredStates, now: float) -> None:
        """Take in what the store has; a person already here is newer here and stays."""
        for user_id, (state, join) in stored.items():
            if user_id not in self._people:
                self._people[user_id] = Person(
                    key=key_of(user_id),
                    state=UserState.empty(user_id) if state is None else UserState.from_bytes(state),
                    join=JoinState() if join is None else JoinState.from_bytes(join),
                    touched=now,
                    released_in=self._num_releases,
                )

    def mark_changed(self, user_id: str, person: Person, now: float) -> None:
        """Say that a person's states will have changed by the next release."""
        person.touched = now
        if not person.changed:
            person.changed = True
            self._changed[user_id] = person
            self._people[user_id] = self._people.pop(user_id)

    def release(self) -> dict[str, tuple[bytes, bytes]]:
        """Return the states of everyone changed since the last call."""
        self._num_releases += 1
        states = {}
        for user_id, person in self._changed.items():
            states[user_id] = (person.state.to_bytes(), person.join.to_bytes())
            person.changed = False
            person.released_in = self._num_releases
        self._changed = {}
        return states

    def forget_idle(self, before: float) -> None:
        """Forget whoever was last touched before epoch second `before`; the store has them.

        Not whoever changed in the last release, though: it may still be on its way to the store.
        """
        idle = []
        for user_id, person in self._people.items():
            if person.changed or person.touched >= before or person.released_in >= self._num_releases:
                break
            idle.append(user_id)
        for user_id in idle:
            del self._people[user_id]
