"""What is learned of an impression does not depend on the form in which it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from learners.features.assembly import assemble_request
from learners.joiner import JoinerSettings, PartitionJoiner, Release
from learners.user_state import UserState
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.feed import FeedMessage
from messages.identifiers import key_of
from messages.impressions import Impression, ModelVersion, RequestContext
from messages.updates import CounterRows
from tests.impressions import in_old_form

TIME = 1_700_000_000.0
SHOWN = ("cat", "dog", "sea", "sky")


def facts(name: str) -> ContentFacts:
    metadata = ContentMetadata(
        category=f"about {name[0]}",
        tags=(name, "all")[: len(name) % 3],
        duration=4.0 * len(name),
        language="de",
    )
    return ContentFacts(name, f"by {name[0]}", TIME - 1_000, metadata)


def served(request_id: str, user_id: str, num_watched: int) -> Impression:
    """A slate with all that serving logs, for somebody who has watched so many contents."""
    state = UserState.empty(user_id)
    for number in range(num_watched):
        event = {"event_type": "view", "content_id": f"c{number}", "watch_duration": 9.0}
        state.apply(event, TIME - 50 + number, (key_of(f"c{number}"), key_of("by c"), key_of("about c"), 9.0))
    contents = ContentColumns.of([facts(name) for name in SHOWN])
    counters = CounterRows.zeros(contents.content_keys)
    counters.totals[:] = np.arange(counters.totals.size).reshape(counters.totals.shape)
    context = RequestContext(device="phone", surface="home", language="de")
    profile = {"demographics": {"age": "18"}} if num_watched % 2 else None
    features = assemble_request(state, profile, context, contents, TIME, counters)
    count = len(contents)
    return Impression(
        request_id=request_id,
        user_id=user_id,
        timestamp=TIME,
        model=ModelVersion("two-tower", "born", 7),
        arm="treatment",
        context=context,
        contents=contents,
        propensities=np.linspace(0.1, 0.9, count, dtype=np.float32),
        scores=np.linspace(1, 2, count, dtype=np.float32),
        sources=["ann"] * count,
        features=features.take(np.arange(count)),
        engage_chances=np.linspace(0.2, 0.4, count, dtype=np.float32),
    )


IMPRESSIONS = [served(f"r{number}", f"u{number % 3}", number) for number in range(6)]
EVENTS = [
    {
        "event_type": ("view", "like", "skip", "comment")[number % 4],
        "event_id": f"e{number}",
        "timestamp": TIME + 1,
        "user_id": f"u{number % 3}",
        "content_id": SHOWN[number * 5 % 4],
        **({"watch_duration": 3.0} if number % 4 == 0 else {}),
        **({"comment_text": "so good"} if number % 4 == 3 else {}),
        **({"request_id": f"r{number % 6}"} if number % 2 else {}),
    }
    for number in range(24)
]


def joined(form: Callable[[int, Impression], dict[str, Any]]) -> Release:
    joiner = PartitionJoiner(0, JoinerSettings(num_partitions=1), "writer")
    records: list[Any] = [("impression", form(number, one)) for number, one in enumerate(IMPRESSIONS)]
    records += [("event", event) for event in EVENTS]
    message = FeedMessage.decode(FeedMessage(records).encode())
    joiner.load_users(dict.fromkeys(joiner.missing_users(message), (None, None)))
    assert joiner.accept(message, position=1, append_time=TIME) == []
    release = joiner.release()
    assert release is not None
    assert release.batch.joined is not None
    assert len(release.batch.joined) == len(EVENTS)
    return release


@pytest.mark.parametrize(
    "old", [lambda number: True, lambda number: number % 2 == 0], ids=["all old", "old and new"]
)
def test_impressions_of_earlier_versions_give_the_same_bytes_and_states(old: Callable[[int], bool]) -> None:
    now = joined(lambda _, impression: impression.to_wire())
    before = joined(lambda number, one: in_old_form(one) if old(number) else one.to_wire())
    assert before.batch.encode() == now.batch.encode()
    assert before.states == now.states


def test_the_persons_part_is_written_once() -> None:
    size, old_size = (
        len(FeedMessage([("impression", wire)]).encode())
        for wire in (IMPRESSIONS[5].to_wire(), in_old_form(IMPRESSIONS[5]))
    )
    assert size < 0.7 * old_size


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("layout", "user;history;duration_bucket;1 2 3", "features.layout"),
        ("layout", "user", "features"),
        ("layout", 7, "features"),
        ("bag_ends", [3, 2, 2], "features.bag_ends"),
        ("bag_ends", [-1, 0, 0], "features.bag_ends"),
        ("bag_ends", [0, 0], "features.bag_ends"),
        ("bag_ends", None, "features.bag_ends"),
        ("bag_ends", [0.0, 0.0, 0.0], "features.bag_ends"),
        ("keys", np.zeros(3, dtype=np.uint64), "features.keys"),
        ("keys", [1], "features.keys"),
        ("numbers", np.zeros(3, dtype=np.float32), "features.numbers"),
        ("numbers", None, "features.numbers"),
    ],
)
def test_features_that_do_not_fit_are_named(field: str, value: object, named: str) -> None:
    wire = IMPRESSIONS[0].to_wire()
    wire["features"] = wire["features"] | {field: value}
    joiner = PartitionJoiner(0, JoinerSettings(num_partitions=1), "writer")
    message = FeedMessage.decode(FeedMessage([("impression", wire)]).encode())
    (letter,) = joiner.accept(message, position=1, append_time=TIME)
    assert letter.reason.startswith(f"{named}: ")


def test_names_come_with_an_impression_for_whoever_reads_them() -> None:
    ((_, wire),) = FeedMessage.decode(
        FeedMessage([("impression", IMPRESSIONS[0].to_wire())]).encode()
    ).records
    read = Impression.from_wire(wire)
    assert read.contents.content_ids == list(SHOWN)
    assert read.contents.creator_ids == ["by c", "by d", "by s", "by s"]
    assert read.contents.categories == ["about c", "about d", "about s", "about s"]
    assert read.sources == ["ann"] * 4
    bare = Impression.from_wire(wire, with_names=False)
    assert (bare.contents.content_ids, bare.sources) == ([], [])
    assert bare.contents.content_keys.tolist() == read.contents.content_keys.tolist()
