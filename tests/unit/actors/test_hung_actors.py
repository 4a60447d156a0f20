"""Who hangs is ended and begun anew; who is slow, away or still being made is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from actors.hung_actors import HungActors

PATIENCE = 60.0


class Fakes:
    """Actors that answer at once, are away, or stand still."""

    def __init__(self, *roles: str) -> None:
        self.standing_still: set[str] = set()
        self.away: set[str] = set()
        self.ended: list[str] = []
        self.roles = list(roles)
        self.now = 0.0
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def find(self) -> Mapping[str, Any]:
        return {role: role for role in self.roles}

    async def ask(self, role: str, handle: Any) -> Any:
        if role in self.standing_still:
            self._waiting[role] = asyncio.get_running_loop().create_future()
            await self._waiting[role]
        if role in self.away:
            raise ConnectionError(role)

    def end(self, handle: Any) -> None:
        self.ended.append(handle)
        self.away.add(handle)
        self.go_on(handle)

    def go_on(self, role: str) -> None:
        self.standing_still.discard(role)
        self._waiting.pop(role).set_result(None)

    async def pass_time(self, hung: HungActors, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1.0
            await hung.check()
            for _ in range(4):
                await asyncio.sleep(0)


def watched(fakes: Fakes) -> HungActors:
    return HungActors(fakes, PATIENCE, clock=lambda: fakes.now)


def test_who_answered_and_then_stands_still_for_too_long_is_ended_once() -> None:
    async def scenario() -> None:
        fakes = Fakes("learner", "shard-0")
        hung = watched(fakes)
        await fakes.pass_time(hung, 4.0)
        fakes.standing_still.add("shard-0")
        await fakes.pass_time(hung, PATIENCE - 8.0)
        assert fakes.ended == [], "a pause that is shorter is waited out"
        await fakes.pass_time(hung, 16.0)
        assert fakes.ended == ["shard-0"]
        await fakes.pass_time(hung, 3 * PATIENCE)
        assert fakes.ended == ["shard-0"]

    asyncio.run(scenario())


def test_whoever_is_begun_anew_has_all_the_time_it_takes_and_is_watched_again() -> None:
    async def scenario() -> None:
        fakes = Fakes("shard-0")
        hung = watched(fakes)
        fakes.standing_still.add("shard-0")  # its constructor restores
        await fakes.pass_time(hung, 10 * PATIENCE)
        assert fakes.ended == []
        fakes.go_on("shard-0")
        await fakes.pass_time(hung, 4.0)
        fakes.standing_still.add("shard-0")
        await fakes.pass_time(hung, 2 * PATIENCE)
        assert fakes.ended == ["shard-0"]
        fakes.away.clear()
        fakes.standing_still.add("shard-0")  # made again, and restoring again
        await fakes.pass_time(hung, 10 * PATIENCE)
        assert fakes.ended == ["shard-0"]
        hung.close()

    asyncio.run(scenario())


def test_who_is_away_is_rays_to_bring_back() -> None:
    async def scenario() -> None:
        fakes = Fakes("joiner")
        hung = watched(fakes)
        await fakes.pass_time(hung, 4.0)
        fakes.away.add("joiner")
        await fakes.pass_time(hung, 10 * PATIENCE)
        assert fakes.ended == []

    asyncio.run(scenario())


def test_who_came_or_went_meanwhile_is_no_matter() -> None:
    async def scenario() -> None:
        fakes = Fakes("joiner")
        hung = watched(fakes)
        await fakes.pass_time(hung, 4.0)
        fakes.roles = ["learner-candidate"]
        await fakes.pass_time(hung, 4.0)
        fakes.standing_still.add("learner-candidate")
        await fakes.pass_time(hung, 2 * PATIENCE)
        assert fakes.ended == ["learner-candidate"]

    asyncio.run(scenario())


def test_whoever_stood_still_itself_judges_nobody_by_it() -> None:
    async def scenario() -> None:
        fakes = Fakes("joiner")
        hung = watched(fakes)
        await fakes.pass_time(hung, 4.0)
        fakes.standing_still.add("joiner")
        await fakes.pass_time(hung, 4.0)
        fakes.now += 10 * PATIENCE
        await fakes.pass_time(hung, PATIENCE / 2)
        assert fakes.ended == []
        await fakes.pass_time(hung, PATIENCE)
        assert fakes.ended == ["joiner"]

    asyncio.run(scenario())
