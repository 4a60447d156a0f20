"""Rows out of slates are what the features of one content beside its person are by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.features.assembly import assemble_request
from learners.features.content_ids import content_language_keys, crossed, duration_bucket_keys
from learners.features.request_features import RequestFeatures
from learners.features.slate_rows import rows_of_slates
from learners.user_state import UserState
from messages.codec import pack, unpack
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch
from messages.identifiers import key_of
from messages.impressions import RequestContext
from messages.slate_features import SlateFeatures
from messages.updates import CounterRows

NOW = 1_700_000_000.0
CATALOGUE = ContentColumns.of(
    [
        ContentFacts(
            f"c{number}",
            f"by {number % 3}",
            NOW - number,
            ContentMetadata(
                category=f"k{number % 4}" if number % 5 else "",
                tags=tuple(f"t{tag}" for tag in range(number % 3)),
                duration=1.7 * number if number % 4 else None,
                language="de" if number % 2 else "",
                audio_id=f"a{number % 2}",
            ),
        )
        for number in range(12)
    ]
)


def request(person: int, surface: str) -> RequestFeatures:
    state = UserState.empty(f"u{person}")
    for number in range(person):
        traits = (key_of(f"c{number}"), key_of("by 1"), key_of(f"k{number % 4}"), 9.0)
        event = {"event_type": "view", "content_id": f"c{number}", "watch_duration": 8.0}
        state.apply(event, NOW - 60 + number, traits)
    profile = {"demographics": {"age": "18", "city": "Oslo"}} if person % 2 else None
    counters = CounterRows.zeros(CATALOGUE.content_keys)
    counters.totals[:] = np.arange(counters.totals.size).reshape(counters.totals.shape)
    context = RequestContext(device="phone", surface=surface, language="de")
    return assemble_request(state, profile, context, CATALOGUE, NOW, counters)


def by_definition(features: RequestFeatures, row: int) -> FeatureBatch:
    """One content's features, column by column in plain numpy."""
    person, contents = features.person, features.contents.take(np.array([row]))
    assert features.counters is not None
    bucket = duration_bucket_keys(contents.durations)
    surface = person.ids["surface"]
    return FeatureBatch(
        ids=dict(person.ids)
        | {
            "content": contents.content_keys,
            "creator": contents.creator_keys,
            "category": contents.category_keys,
            "audio": contents.audio_keys,
            "duration_bucket": bucket,
            "content_language": content_language_keys(contents.language_keys),
            "surface_category": crossed(surface, contents.category_keys),
            "surface_duration": crossed(surface, bucket),
        },
        bags={**person.bags, "tags": contents.tags},
        dense=np.concatenate([person.dense, features.pair[row : row + 1]], axis=1),
        counters=features.counters[row : row + 1],
    )


@given(
    slates=st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from(["", "home"]),
            st.lists(st.integers(0, 11), min_size=1, max_size=5),
        ),
        min_size=1,
        max_size=4,
    ),
    draws=st.data(),
)
def test_rows_of_several_slates_equal_those_of_each_content_alone(
    slates: list[tuple[int, str, list[int]]], draws: st.DataObject
) -> None:
    requests = [request(person, surface) for person, surface, _ in slates]
    numbers = [np.array(rows) for _, _, rows in slates]
    logged = [
        SlateFeatures.from_wire(unpack(pack(features.take(rows).to_wire())))
        for features, rows in zip(requests, numbers, strict=True)
    ]
    which = draws.draw(st.lists(st.integers(0, len(slates) - 1), min_size=1, max_size=8))
    places = [draws.draw(st.integers(0, len(numbers[slate]) - 1)) for slate in which]

    rows = rows_of_slates(
        logged, [CATALOGUE.take(rows) for rows in numbers], np.array(which), np.array(places)
    )

    alone = [
        by_definition(requests[slate], int(numbers[slate][place]))
        for slate, place in zip(which, places, strict=True)
    ]
    assert pack(rows.to_wire()) == pack(FeatureBatch.concatenate(alone).to_wire())
    assert all(column.flags.c_contiguous for column in (*rows.ids.values(), rows.dense, rows.counters))


def test_features_without_counters_stay_without() -> None:
    counted = request(3, "home")
    bare = RequestFeatures(counted.person, counted.contents, counted.pair, None)
    rows = bare.whole_rows()
    assert rows.counters is None
    assert pack(rows.with_counters(counted.counters).to_wire()) == pack(counted.whole_rows().to_wire())  # type: ignore[arg-type]


def test_a_slate_knows_how_many_contents_it_has() -> None:
    assert len(request(2, "home").take(np.array([3, 1, 4]))) == 3
