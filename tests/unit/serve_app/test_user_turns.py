"""One person's requests wait for each other, other people's do not."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.user_turns import UserTurns


def test_a_second_request_of_a_person_waits_and_another_persons_does_not() -> None:
    turns, log = UserTurns(), []

    async def request(name: str, user_id: str) -> None:
        async with turns.of(user_id):
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            log.append(f"{name} ends")

    async def run() -> None:
        await asyncio.gather(request("ada 1", "ada"), request("ada 2", "ada"), request("bob", "bob"))

    asyncio.run(run())

    assert log.index("ada 1 ends") < log.index("ada 2 begins")
    assert log.index("bob begins") < log.index("ada 1 ends")
    assert len(turns) == 0


def test_an_error_gives_the_turn_back() -> None:
    turns = UserTurns()

    async def run() -> None:
        with pytest.raises(ConnectionError):
            async with turns.of("ada"):
                raise ConnectionError
        async with turns.of("ada"):
            pass

    asyncio.run(run())

    assert len(turns) == 0
