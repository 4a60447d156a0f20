"""The follower keeps a replica up to date, and keeps it serving whatever the other side does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from messages.updates import ModelDelta, Position
from serve_app.delta_follower import DeltaFollower, DeltaFollowerSettings
from serve_app.model_replica import ModelReplica
from serve_app.serving_metrics import ServingMetrics
from tests.fakes import MODEL, NOW, FakeModelChanges, content, delta, empty_replica, replica_of

SETTINGS = DeltaFollowerSettings(first_retry_seconds=1, max_retry_seconds=5)


class Follow:
    """A follower, its replica, and the pauses it took."""

    def __init__(
        self, script: list[list[ModelDelta] | Exception], replica: ModelReplica | None = None
    ) -> None:
        self.replica = replica or empty_replica()
        self.changes = FakeModelChanges(script)
        self.metrics = ServingMetrics()
        self.now = NOW + 7
        self.num_yields = 0
        self.counters_seen_at_yields: list[int] = []
        self.follower = DeltaFollower(
            self.changes,
            self.replica,
            SETTINGS,
            clock=lambda: self.now,
            metrics=self.metrics,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        assert seconds == 0
        self.num_yields += 1
        self.counters_seen_at_yields.append(self.replica.counter)
        await asyncio.sleep(0)

    def polls(self, count: int) -> list[float]:
        async def run() -> list[float]:
            return [await self.follower.follow_once() for _ in range(count)]

        return asyncio.run(run())

    def metric(self, name: str, labels: dict[str, str] | None = None) -> Any:
        return self.metrics.registry.get_sample_value(name, labels or {})


FULL = delta(1, contents=[content("a")])
SECOND = delta(2, previous=1, contents=[content("b")])
THIRD = delta(3, previous=2, contents=[content("c")])


def test_it_asks_for_everything_first_and_then_for_what_is_newer() -> None:
    follow = Follow([[FULL], [SECOND, THIRD]])

    follow.polls(3)

    assert follow.changes.counters_asked == [-1, 1, 3]
    assert len(follow.replica.state.contents) == 3


def test_it_gives_way_to_requests_before_many_rows_have_changed() -> None:
    names = [content(f"c{index}") for index in range(600)]
    follow = Follow([[delta(1, contents=names)]])

    follow.polls(1)

    assert follow.counters_seen_at_yields == [-1, -1]
    assert follow.metric("foryou_delta_rows_total") == 600


def test_a_small_delta_is_served_at_once_however_many_tables_it_changes() -> None:
    changes = delta(
        2,
        previous=1,
        contents=[content("b")],
        vectors={"a": [1, 0, 0], "b": [0, 1, 0]},
        removed_contents=["c"],
        removed_rows=["c"],
    )
    follow = Follow([[changes]], replica_of([content("a"), content("c")]))

    follow.polls(1)

    assert follow.num_yields == 0
    assert follow.replica.counter == 2


def test_after_a_gap_it_asks_for_everything() -> None:
    follow = Follow([[FULL], [THIRD], [delta(3, contents=[content("z")])], []])

    pauses = follow.polls(4)

    assert follow.changes.counters_asked == [-1, 1, -1, 3]
    assert pauses == [0, 1, 0, 0]
    assert follow.replica.counter == 3
    assert follow.follower.last_error is None


def test_while_the_other_side_is_away_it_serves_on_and_waits_longer_each_time() -> None:
    follow = Follow([ConnectionError("no route")] * 5 + [[SECOND]], replica_of([content("a")]))

    pauses = follow.polls(5)

    assert pauses == [1, 2, 4, 5, 5]
    assert follow.follower.last_error == "ConnectionError: no route"
    assert follow.replica.counter == 1
    assert follow.metric("foryou_model_age_seconds", {"model": MODEL}) == 7
    assert follow.polls(1) == [0]
    assert follow.follower.last_error is None
    assert follow.replica.counter == 2


def test_it_says_how_stale_the_model_is(caplog: pytest.LogCaptureFixture) -> None:
    Follow([ConnectionError("no route")], replica_of([content("a")])).polls(1)

    assert "the model is 7.0 s old" in caplog.text


def test_an_error_while_applying_makes_it_ask_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = Follow([[SECOND], [delta(9, contents=[content("z")])]], replica_of([content("a")]))
    state = follow.replica.state

    def fail(*arguments: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(state, "put_contents", fail)
    follow.polls(2)

    assert follow.changes.counters_asked == [1, -1]
    assert follow.replica.counter == 9


def test_freshness_is_measured_where_learning_moved() -> None:
    replica = replica_of([content("a")], positions={0: Position(5, 50, NOW), 1: Position(5, 50, NOW)})
    moved = {0: Position(6, 60, NOW + 6.5), 1: Position(5, 50, NOW)}
    follow = Follow([[delta(2, previous=1, positions=moved)]], replica)

    follow.polls(1)

    assert follow.metric("foryou_event_to_served_seconds_count") == 1
    assert follow.metric("foryou_event_to_served_seconds_sum") == pytest.approx(0.5)
    assert follow.metric("foryou_model_version", {"model": "fake"}) == 2


def test_cancelling_ends_it() -> None:
    follow = Follow([[FULL]])

    async def run() -> None:
        task = asyncio.create_task(follow.follower.run())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())

    assert follow.replica.counter == 1


def test_nobody_waits_for_a_model_that_has_been_away_for_longer_than_anybody_would_wait() -> None:
    follow = Follow([[FULL], [SECOND]])

    async def waits() -> bool:
        waiting = asyncio.create_task(follow.follower.reached(2, timeout=60.0))
        for _ in range(20):
            await asyncio.sleep(0)
        waits = not waiting.done()
        waiting.cancel()
        return waits

    async def run() -> tuple[list[bool], bool]:
        await follow.follower.follow_once()
        seen = [await waits()]
        follow.now += 62.0
        seen += [await waits(), await follow.follower.reached(1, timeout=60.0)]
        await follow.follower.follow_once()
        return seen, await follow.follower.reached(2, timeout=60.0)

    assert asyncio.run(run()) == ([True, False, True], True)


def test_so_many_wait_for_a_version_that_there_is_room_for_others() -> None:
    follow = Follow([[FULL], [SECOND]])
    many = DeltaFollowerSettings().max_waiting

    async def run() -> tuple[bool, list[bool], bool]:
        await follow.follower.follow_once()
        waiting = [asyncio.create_task(follow.follower.reached(2, timeout=60.0)) for _ in range(many)]
        await asyncio.sleep(0)
        one_more = await follow.follower.reached(2, timeout=60.0)
        await follow.follower.follow_once()
        answers = await asyncio.gather(*waiting)
        return one_more, answers, await follow.follower.reached(2, timeout=60.0)

    assert asyncio.run(run()) == (False, [True] * many, True)
