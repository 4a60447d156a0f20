"""Many rows at once are the same rows, to the last bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features.assembly import assemble
from learners.features.person_snapshot import PersonSnapshot, take_snapshot
from learners.features.row_assembly import assemble_rows
from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.codec import MalformedMessageError
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch
from messages.impressions import RequestContext

NOW = 1_650_000_000.0


def content(number: int) -> ContentFacts:
    metadata = ContentMetadata(
        category=("", "music", "sport", "news")[number % 4],
        tags=tuple(f"t{tag}" for tag in range(number % 3)),
        duration=None if number % 5 == 0 else float(number * 7 % 90),
        audio_id="" if number % 2 else f"a{number}",
    )
    return ContentFacts(
        f"c{number}", "" if number % 7 == 0 else f"m{number % 3}", NOW - 3_600 * number, metadata
    )


CONTENTS = [
    dataclasses.replace(
        ContentColumns.of([content(number)]), audio_uses=np.array([number]) if number % 3 else None
    )
    for number in range(30)
]

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["view", "skip", "like", "hide", "follow", "complete_view"]), st.integers(0, 29)
    ),
    max_size=40,
)


def lived(name: str, events: list[tuple[str, int]]) -> UserState:
    state = UserState.empty(name)
    for at, (kind, number) in enumerate(events):
        shown = CONTENTS[number]
        keys = (shown.content_keys, shown.creator_keys, shown.category_keys, shown.durations)
        traits = ContentTraits(*(column.tolist()[0] for column in keys))
        event = {"event_type": kind, "content_id": f"c{number}", "watch_duration": float(at)}
        if kind == "follow":
            event = {"event_type": kind, "creator_id": f"m{number % 3}"}
        state.apply(event, NOW - 5_000 + 97 * at, traits)
    return state


def assert_identical(one: FeatureBatch, other: FeatureBatch) -> None:
    assert one.ids.keys() == other.ids.keys()
    for name in one.ids:
        assert one.ids[name].tobytes() == other.ids[name].tobytes(), name
    for name in one.bags:
        assert one.bags[name].values.tobytes() == other.bags[name].values.tobytes(), name
        assert one.bags[name].offsets.tobytes() == other.bags[name].offsets.tobytes(), name
    assert one.dense.tobytes() == other.dense.tobytes()


@given(
    people=st.lists(EVENTS, min_size=1, max_size=6),
    slates=st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.integers(0, 29), min_size=1, max_size=4)),
        min_size=1,
        max_size=12,
    ),
    surface=st.sampled_from(["", "home"]),
)
def test_rows_assembled_together_equal_rows_assembled_one_by_one(
    people: list[list[tuple[str, int]]], slates: list[tuple[int, list[int]]], surface: str
) -> None:
    states = [lived(f"u{number}", events) for number, events in enumerate(people)]
    context = RequestContext(device="phone", surface=surface, network_speed=12.0)
    profile = {"age": "18", "city": "Oslo"}
    alone, snapshots, places, shown = [], [], [], []
    for person, numbers in slates:
        state = states[person % len(states)]
        contents = ContentColumns.concatenate([CONTENTS[number] for number in numbers])
        features = assemble(state, profile, context, contents, NOW + person, None)
        snapshot = take_snapshot(state, profile, context, contents, NOW + person)
        for place in range(len(numbers)):
            alone.append(features.take(np.array([place])))
            snapshots.append(PersonSnapshot.from_bytes(snapshot.to_bytes()))
            places.append(place)
            shown.append(contents)
    assert_identical(assemble_rows(snapshots, places, shown), FeatureBatch.concatenate(alone))


def test_a_snapshot_does_not_see_what_comes_after_it() -> None:
    state = lived("u", [("view", 1), ("skip", 2)])
    context = RequestContext(surface="home")
    before = assemble(state, None, context, CONTENTS[1], NOW, None)
    snapshot = take_snapshot(state, None, context, CONTENTS[1], NOW)
    state.apply({"event_type": "view", "content_id": "c1", "watch_duration": 9.0}, NOW, None)
    assert_identical(assemble_rows([snapshot], [0], [CONTENTS[1]]), before)


@pytest.mark.parametrize("broken", [b"", b"S", b"S" + bytes(8), b"S" + bytes(164) + b"more"])
def test_broken_bytes_are_no_snapshot(broken: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        PersonSnapshot.from_bytes(broken)
