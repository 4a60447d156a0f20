"""Requests that are there together are ranked together, and each of them gets its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from serve_app.answer_pulse import AnswerPulse
from serve_app.joint_rankings import JointRankings


class Pipeline:
    """Makes the slate of a request from its name, and remembers who was ranked together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def rank_together(self, requests: Iterable[str]) -> list[Any]:
        self.batches.append(list(requests))
        return [ValueError(name) if name == "broken" else f"slate of {name}" for name in self.batches[-1]]


class System:
    """Rankings by a clock that moves a tenth of a millisecond each time it is read."""

    def __init__(self) -> None:
        self.pipeline = Pipeline()
        self.pulse = AnswerPulse()
        self.now = 0.0
        self.rankings: JointRankings[str] = JointRankings(self.pulse, self.read_clock)

    def read_clock(self) -> float:
        self.now += 0.0001
        return self.now

    def model(self, name: str = "production", pipeline: Pipeline | None = None) -> Any:
        return SimpleNamespace(pipeline=pipeline or self.pipeline, replica=SimpleNamespace(model_id=name))

    async def rank(
        self,
        name: str,
        model: Any = None,
        hydrate: Callable[[], Any] | None = None,
        before: Callable[[], Any] = lambda: asyncio.sleep(0),
    ) -> str:
        with self.rankings.coming():
            await before()
        return await self.rankings.rank(
            model or self.model(),
            hydrate or (lambda: name),  # type: ignore[arg-type,return-value]
            lambda request, slate: f"{request}: {slate}",
        )


def test_a_request_alone_is_ranked_at_once() -> None:
    system = System()

    async def ask() -> None:
        answer = asyncio.ensure_future(system.rank("ada", before=lambda: asyncio.sleep(0)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert system.pipeline.batches == [["ada"]]
        assert await answer == "ada: slate of ada"

    asyncio.run(ask())


def test_requests_that_come_at_the_same_moment_are_ranked_side_by_side() -> None:
    system, model = System(), None

    async def ask() -> list[str]:
        nonlocal model
        model = system.model()
        return await asyncio.gather(*(system.rank(name, model) for name in ("ada", "bea", "cyd")))

    assert asyncio.run(ask()) == ["ada: slate of ada", "bea: slate of bea", "cyd: slate of cyd"]
    assert system.pipeline.batches == [["ada", "bea", "cyd"]]
    assert system.pulse.take()["production"]["answers"] == 3


def test_one_that_does_not_come_is_not_waited_for_long() -> None:
    system = System()
    model = system.model()

    async def ask() -> str:
        never = asyncio.ensure_future(system.rank("late", model, before=asyncio.Event().wait))
        await asyncio.sleep(0)
        answer = await system.rank("ada", model)
        never.cancel()
        return answer

    assert asyncio.run(ask()) == "ada: slate of ada"
    assert system.now < 0.01


def test_no_more_than_eight_are_ranked_before_others_have_their_turn() -> None:
    system = System()
    model = system.model()

    async def ask() -> list[str]:
        return await asyncio.gather(*(system.rank(str(number), model) for number in range(40)))

    assert asyncio.run(ask()) == [f"{number}: slate of {number}" for number in range(40)]
    assert [len(batch) for batch in system.pipeline.batches] == [8, 8, 8, 8, 8]


def test_where_more_wait_than_are_ranked_at_once_those_that_were_leave_before_the_others() -> None:
    system = System()
    model = system.model()
    left: list[int] = []

    async def ask(number: int) -> None:
        await system.rank(str(number), model)
        with system.rankings.leaving():
            for _ in range(3):  # the broker, the store
                await asyncio.sleep(0)
            assert len(system.pipeline.batches) == number // 8 + 1
        left.append(number)

    async def ask_all() -> None:
        await asyncio.gather(*(ask(number) for number in range(48)))

    asyncio.run(ask_all())
    assert left == list(range(48))


def test_requests_of_two_models_are_ranked_apart() -> None:
    system, other = System(), Pipeline()
    models = [system.model(), system.model("next", other)]

    async def ask() -> list[str]:
        return await asyncio.gather(*(system.rank(str(number), models[number % 2]) for number in range(6)))

    assert asyncio.run(ask()) == [f"{number}: slate of {number}" for number in range(6)]
    assert (system.pipeline.batches, other.batches) == ([["0", "2", "4"]], [["1", "3", "5"]])


def test_one_that_fails_is_nothing_to_the_others() -> None:
    system = System()
    model = system.model()

    def no_state() -> str:
        raise TypeError("no state")

    async def ask() -> list[Any]:
        return await asyncio.gather(
            system.rank("ada", model),
            system.rank("broken", model),
            system.rank("bea", model, hydrate=no_state),
            system.rank("cyd", model),
            return_exceptions=True,
        )

    ada, broken, bea, cyd = asyncio.run(ask())
    assert (ada, cyd) == ("ada: slate of ada", "cyd: slate of cyd")
    with pytest.raises(ValueError, match="broken"):
        raise broken
    with pytest.raises(TypeError, match="no state"):
        raise bea
    assert system.pulse.take()["production"]["failures"] == 2


def test_one_whose_client_went_away_is_not_ranked() -> None:
    system = System()
    model = system.model()

    async def ask() -> str:
        coming = asyncio.Event()
        last = asyncio.ensure_future(system.rank("bea", model, before=coming.wait))
        await asyncio.sleep(0)
        gone = asyncio.ensure_future(system.rank("ada", model))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it waits for the other one
        gone.cancel()
        coming.set()
        return await last

    assert asyncio.run(ask()) == "bea: slate of bea"
    assert system.pipeline.batches == [["bea"]]
