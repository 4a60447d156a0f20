"""What is broken is named and put aside, and the rest of its message goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.feed import FeedMessage
from messages.identifiers import partition_of


def view(stage: Any, event_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "event_type": "view",
        "event_id": event_id,
        "timestamp": stage.now,
        "user_id": "eve",
        "content_id": "cat",
        "watch_duration": 3.0,
    } | fields


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"watch_duration": -1.0}, "watch_duration"),
        ({"watch_duration": None}, "watch_duration"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": float("nan")}, "timestamp"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"content_id": "x" * 300}, "content_id"),
        ({"event_type": "stare"}, "event_type"),
        ({"event_type": ["view"]}, "event_type"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_a_broken_event_is_named_and_its_neighbours_go_on(
    stage: Any, broken: dict[str, Any], field: str
) -> None:
    bad = view(stage, "bad", **broken)
    stage.send(("event", view(stage, "first")), ("event", bad), ("event", view(stage, "last")))
    (letter,) = stage.letters
    assert letter.reason.startswith(f"{field}: ")
    assert repr(letter.raw) == repr(bad)
    assert letter.position == 1
    assert len(stage.release().batch) == 2
    assert stage.joiner.statistics()["dead_letters"] == 1


@pytest.mark.parametrize("raw", [None, 3, "view", b"\xff", [1, 2], {}, {1: 2}])
def test_what_is_no_event_at_all_is_refused(stage: Any, raw: Any) -> None:
    stage.send(("event", raw), ("impression", raw))
    assert len(stage.letters) == 2
    assert len(stage.release().batch) == 0


EMPTY = ContentColumns.of([]).to_wire()
OLD = ContentColumns.of(
    [ContentFacts(name, "ann", 1.0, ContentMetadata()) for name in ("cat", "dog")]
).to_wire()


def without(wire: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = wire
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return wire


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda wire: without(wire, "request_id"), "request_id"),
        (lambda wire: wire | {"user_id": ""}, "user_id"),
        (lambda wire: wire | {"timestamp": "noon"}, "timestamp"),
        (lambda wire: wire | {"model": ["m"]}, "model"),
        (lambda wire: wire | {"context": ["a", "b", "c", "d", "e", "f"]}, "context"),
        (lambda wire: without(wire, "contents", "durations"), "contents"),
        (lambda wire: wire | {"contents": wire["contents"] | {"keys": [1, 2]}}, "contents"),
        (lambda wire: wire | {"contents": wire["contents"] | {"keys": np.zeros(9)}}, "contents"),
        (lambda wire: wire | {"contents": wire["contents"] | {"tags": [1]}}, "contents"),
        (lambda wire: wire | {"contents": OLD | {"content_ids": [1, 2]}}, "contents"),
        (lambda wire: wire | {"contents": OLD | {"creator_ids": ["ann"]}}, "contents"),
        (lambda wire: wire | {"contents": OLD | {"tags": [1]}}, "contents"),
        (lambda wire: without(wire, "names"), "names"),
        (lambda wire: wire | {"propensities": np.zeros(1, np.float32)}, "propensities"),
        (lambda wire: wire | {"scores": ["high", "low"]}, "scores"),
        (lambda wire: wire | {"profile": {"age": 18}}, "profile"),
        (lambda wire: wire | {"profile": "young"}, "profile"),
        (lambda wire: wire | {"contents": EMPTY}, "contents"),
        (lambda wire: without(wire, "features", "dense"), "features"),
        (lambda wire: wire | {"features": wire["features"] | {"counters": None}}, "features.counters"),
        (lambda wire: without(wire, "features", "bags", "tags"), "features.bags"),
        (
            lambda wire: wire | {"features": wire["features"] | {"dense": np.zeros((2, 4))}},
            "features.dense",
        ),
        (
            lambda wire: (
                wire
                | {"features": wire["features"] | {"ids": dict.fromkeys(("content", "creator"), np.zeros(2))}}
            ),
            "features.ids.content",
        ),
    ],
)
def test_a_broken_impression_is_named(stage: Any, make_impression: Any, spoil: Any, field: str) -> None:
    good = make_impression("r1", "eve", ["cat", "dog"], stage.now)
    bad = spoil(make_impression("r2", "eve", ["cat", "dog"], stage.now))
    stage.send(("impression", bad), ("impression", good))
    (letter,) = stage.letters
    assert letter.reason.startswith(f"{field}: ")
    assert stage.joiner.statistics()["open_impressions"] == 1


def test_a_foreign_publishers_event_is_mended(stage: Any) -> None:
    stage.show("r1", "eve", "cat")
    foreign = {
        "event_type": "view",
        "timestamp": int(stage.now * 1000),
        "user_id": " eve ",
        "content_id": "cat",
        "watch_duration": "3",
    }
    stage.send(("event", foreign))
    stage.send(("event", foreign))
    batch = stage.release().batch
    assert stage.letters == []
    assert len(batch) == 1
    assert len(batch.joined) == 1
    assert batch.times[0] == stage.now


def test_a_record_on_the_wrong_partition_is_refused(new_stage: Any) -> None:
    stage = new_stage(num_partitions=16)
    wrong = next(name for name in "abcdefgh" if partition_of(name, 16) != 0)
    right = next(str(number) for number in range(100) if partition_of(str(number), 16) == 0)
    stage.send(
        ("event", view(stage, "e1", user_id=wrong)),
        ("event", view(stage, "e2", user_id=right)),
    )
    (letter,) = stage.letters
    assert letter.reason == f"user_id: belongs to partition {partition_of(wrong, 16)}, not to 0"
    assert len(stage.release().batch) == 1


def test_nobodys_state_is_invented(stage: Any) -> None:
    message = FeedMessage([("event", view(stage, "e1"))])
    assert stage.joiner.missing_users(message) == ["eve"]
    with pytest.raises(LookupError, match="eve"):
        stage.joiner.accept(message, position=1, append_time=stage.now)
    stage.joiner.load_users({"eve": (None, None)})
    assert stage.joiner.missing_users(message) == []
    assert stage.joiner.accept(message, position=1, append_time=stage.now) == []


def test_positions_only_rise(stage: Any) -> None:
    stage.event("view", "eve", "cat")
    with pytest.raises(ValueError, match="after message 1"):
        stage.joiner.accept(FeedMessage([]), position=1, append_time=stage.now)
    with pytest.raises(ValueError, match="recalled before"):
        stage.joiner.recall(FeedMessage([]), position=2, append_time=stage.now)
