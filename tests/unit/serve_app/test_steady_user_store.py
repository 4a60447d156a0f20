"""Feeds while the store is away: nobody waits for long, nothing is shown twice, nothing owed is forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
import pytest

from messages.arrays import IdArray
from serve_app.steady_user_store import SteadyUserStore
from tests.fakes import FakeUserStore

GROUP = "production.a"
DEADLINE_SECONDS = 10.0


def keys(*numbers: int) -> IdArray:
    return np.array(numbers, dtype=np.uint64)


def steady(store: FakeUserStore, **words) -> SteadyUserStore:
    return SteadyUserStore(store, **{"patience_seconds": 0.05, "pause_seconds": 0.001, **words})


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


class HangingStore(FakeUserStore):
    """Answers only once it is let go on, like a stopped process."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.num_asked = 0

    async def load(self, user_id, groups):
        self.num_asked += 1
        await self.goes_on.wait()
        return await super().load(user_id, groups)


def test_a_person_is_remembered_with_what_was_shown_since() -> None:
    async def run() -> None:
        store = FakeUserStore()
        store.states["ada"] = b"state"
        store.profiles["ada"] = {"country": "DE"}
        store.served["ada"] = [keys(1, 2)]
        people = steady(store)
        await people.load("ada", [GROUP])
        await people.add_served("ada", keys(3), GROUP, 7)
        store.failure = ConnectionError("refused")

        await people.add_served("ada", keys(4), GROUP, 6)
        ada = await people.load("ada", [GROUP])

        assert ada.remembered
        assert (ada.state, ada.profile) == (b"state", {"country": "DE"})
        assert ada.served.tolist() == [1, 2, 3, 4]
        assert ada.shown == {GROUP: 7}, "a person never goes back a version"

    asyncio.run(run())


def test_somebody_it_never_saw_is_a_newcomer_who_is_remembered_from_then_on() -> None:
    async def run() -> None:
        store = FakeUserStore()
        store.failure = ConnectionError("refused")
        people = steady(store)

        newcomer = await people.load("ada", [GROUP])
        await people.add_served("ada", keys(1), GROUP, 1)
        again = await people.load("ada", [GROUP])

        assert (newcomer.state, newcomer.served.tolist()) == (None, [])
        assert again.served.tolist() == [1]

    asyncio.run(run())


def test_what_was_shown_meanwhile_is_in_the_store_before_it_is_asked_again() -> None:
    async def run() -> None:
        store = FakeUserStore()
        people = steady(store)
        store.failure = ConnectionError("refused")
        await people.load("ada", [GROUP])
        await people.add_served("ada", keys(1, 2), GROUP, 3)
        await people.add_served("bob", keys(3), GROUP, 4)
        assert people.problem == "ConnectionError: refused"

        store.failure = None
        await until(lambda: people.problem is None)

        ada = await people.load("ada", [GROUP])
        assert not ada.remembered
        assert ada.served.tolist() == [1, 2]
        assert store.shown == {"ada": {GROUP: 3}, "bob": {GROUP: 4}}

    asyncio.run(run())


def test_a_store_that_hangs_is_waited_for_once_and_not_by_those_who_come_after() -> None:
    async def run() -> None:
        store = HangingStore()
        people = steady(store)

        await people.load("ada", [GROUP])
        asked = store.num_asked
        for name in ("ada", "bob", "eve"):
            assert (await people.load(name, [GROUP])).remembered

        assert asked == 1
        assert store.num_asked <= 2, "only its own task looks whether it is back"
        store.goes_on.set()
        await until(lambda: people.problem is None)

    asyncio.run(run())


def test_an_operators_notice_that_was_seen_holds_for_whoever_is_remembered() -> None:
    async def run() -> None:
        store = FakeUserStore()
        people = steady(store)
        await people.load("ada", [GROUP])
        store._notice.number = 5
        await people.load("bob", [GROUP])
        store.failure = ConnectionError("refused")

        notices = [(await people.load(name, [GROUP])).notice for name in ("ada", "bob", "eve")]

        assert notices == [5, 5, 5]

    asyncio.run(run())


def test_only_the_people_seen_last_are_remembered() -> None:
    async def run() -> None:
        store = FakeUserStore()
        store.states = {name: name.encode() for name in ("ada", "bob", "eve")}
        people = steady(store, num_kept=2)
        for name in ("ada", "bob", "eve"):
            await people.load(name, [GROUP])
        store.failure = ConnectionError("refused")

        states = [(await people.load(name, [GROUP])).state for name in ("eve", "bob", "ada")]

        assert states == [b"eve", b"bob", None]

    asyncio.run(run())


def test_an_error_that_does_not_come_of_its_absence_is_raised() -> None:
    async def run() -> None:
        store = FakeUserStore()
        store.failure = ValueError("these bytes are no row")
        people = steady(store)
        with pytest.raises(ValueError, match="no row"):
            await people.load("ada", [GROUP])
        assert people.problem is None

    asyncio.run(run())
