import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features.assembly import assemble, assemble_person
from learners.features.content_ids import crossed
from learners.features.schema import (
    BAG_FEATURES,
    COUNTER_FEATURES,
    DENSE_FEATURES,
    ID_FEATURES,
    MAX_HISTORY,
    NUM_USER_DENSE,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
)
from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch
from messages.identifiers import MISSING_KEY, key_of
from messages.impressions import RequestContext
from messages.updates import CounterRows

NOW = 1_650_000_000.0
CONTEXT = RequestContext(device="phone", network="wifi", surface="home", language="en", network_speed=20.0)


def content(
    number: int, category: str = "music", creator: str = "ann", duration: float | None = 20
) -> ContentFacts:
    metadata = ContentMetadata(category=category, tags=("a", "b"), duration=duration, audio_id="song")
    return ContentFacts(f"c{number}", creator, NOW - 86_400, metadata)


def watched(*numbers: int, skipped: tuple[int, ...] = ()) -> UserState:
    state = UserState.empty("u")
    for at, number in enumerate(numbers):
        kind = "skip" if number in skipped else "view"
        facts = ContentColumns.of([content(number)])
        traits = ContentTraits(
            int(facts.content_keys[0]), int(facts.creator_keys[0]), int(facts.category_keys[0]), 20.0
        )
        event = {
            "event_type": kind,
            "content_id": f"c{number}",
            "watch_duration": 19.0,
            "long_view": kind == "view",
        }
        state.apply(event, NOW - 600 + at, traits)
    return state


def dense(features: FeatureBatch, name: str) -> np.ndarray:
    return features.dense[:, DENSE_FEATURES.index(name)]


def pair(features: FeatureBatch, name: str) -> np.ndarray:
    return features.dense[:, NUM_USER_DENSE + DENSE_FEATURES[NUM_USER_DENSE:].index(name)]


def features_of(state: UserState, *contents: ContentFacts, now: float = NOW) -> FeatureBatch:
    return assemble(state, None, CONTEXT, ContentColumns.of(contents), now, None)


def test_every_feature_of_the_schema_is_there() -> None:
    contents = ContentColumns.of([content(1), content(2)])
    features = assemble(
        watched(3), {"age_group": "18"}, CONTEXT, contents, NOW, CounterRows.zeros(contents.content_keys)
    )
    assert features.ids.keys() == ID_FEATURES.keys()
    assert features.bags.keys() == BAG_FEATURES.keys()
    assert features.dense.shape == (2, len(DENSE_FEATURES))
    assert features.dense.dtype == np.float32
    assert features.counters is not None
    assert features.counters.shape == (2, len(COUNTER_FEATURES))
    assert all(keys.dtype == np.uint64 and len(keys) == 2 for keys in features.ids.values())
    assert all(len(bags) == 2 for bags in features.bags.values())


def test_what_is_shared_is_equal_beside_every_candidate() -> None:
    features = features_of(watched(1, 2), content(3), content(4, "sport", "bob"))
    assert (features.dense[0, :NUM_USER_DENSE] == features.dense[1, :NUM_USER_DENSE]).all()
    for name in SHARED_ID_FEATURES:
        assert features.ids[name][0] == features.ids[name][1]
    for name in SHARED_BAG_FEATURES:
        first, second = (features.bags[name].take(np.array([row])).values for row in (0, 1))
        np.testing.assert_array_equal(first, second)


def test_a_stranger_and_a_content_without_facts_give_numbers() -> None:
    bare = ContentFacts("c", "ann", NOW, ContentMetadata())
    features = assemble(UserState.empty("u"), None, RequestContext(), ContentColumns.of([bare]), NOW, None)
    assert np.isfinite(features.dense).all()
    for name in ("device", "network", "surface", "language", "category", "audio", "duration_bucket"):
        assert features.ids[name][0] == MISSING_KEY
    assert features.ids["surface_category"][0] == MISSING_KEY
    assert len(features.bags["tags"].values) == 0


def test_an_audio_that_many_contents_have_stands_out() -> None:
    contents = dataclasses.replace(
        ContentColumns.of([content(1), content(2), content(3)]), audio_uses=np.array([0, 1, 99])
    )
    features = assemble(UserState.empty("u"), None, RequestContext(), contents, NOW, None)
    assert dense(features, "log_audio_uses").tolist() == pytest.approx(np.log1p([0, 1, 99]) / 4)


def test_fields_of_the_context_share_a_table_and_no_row() -> None:
    same = RequestContext(device="x", network="x", surface="x", language="x")
    ids = assemble(UserState.empty("u"), None, same, ContentColumns.of([content(1)]), NOW, None).ids
    assert len({int(ids[name][0]) for name in ("device", "network", "surface", "language")}) == 4


def test_history_holds_what_was_engaged_with_newest_last() -> None:
    features = features_of(watched(*range(40), skipped=(38,)), content(99))
    expected = [key_of(f"c{number}") for number in range(40) if number != 38][-MAX_HISTORY:]
    assert features.bags["history"].values.tolist() == expected


def test_engaging_raises_the_rates_of_person_category_and_creator() -> None:
    candidate = content(9)
    liking, disliking = watched(1, 2, 3), watched(1, 2, 3, skipped=(1, 2, 3))
    for name in ("engage_rate", "long_view_rate", "recent_engage_rate", "engaged_of_last_3"):
        assert (
            dense(features_of(liking, candidate), name)[0]
            > 0
            > dense(features_of(disliking, candidate), name)[0]
        )
    for name in ("category_engage_rate", "creator_engage_rate", "creator_long_view_rate"):
        assert (
            pair(features_of(liking, candidate), name)[0]
            > 0
            > pair(features_of(disliking, candidate), name)[0]
        )


def test_a_category_that_was_never_met_says_nothing() -> None:
    features = features_of(watched(1, 2), content(8), content(9, category="chess", creator="zoe"))
    for name in ("category_share", "category_log_terminals", "category_recency", "creator_recency"):
        met, never = pair(features, name)
        assert met > 0
        assert never == 0
    assert pair(features, "category_share")[0] == pytest.approx(1, abs=1e-3)


def test_recency_falls_with_time() -> None:
    state = watched(1)
    soon, late = features_of(state, content(2)), features_of(state, content(2), now=NOW + 86_400)
    assert pair(soon, "category_recency")[0] > pair(late, "category_recency")[0] > 0
    assert dense(soon, "recent_log_terminals")[0] > dense(late, "recent_log_terminals")[0]
    assert dense(soon, "log_seconds_since_event")[0] < dense(late, "log_seconds_since_event")[0]


def test_a_dislike_of_lately_is_forgotten_while_nothing_of_the_category_is_shown() -> None:
    state = watched(1, 2, 3, skipped=(1, 2, 3))
    soon, late = features_of(state, content(9)), features_of(state, content(9), now=NOW + 86_400)
    for name in ("latest_category_engage_rate", "latest_category_preference"):
        assert pair(soon, name)[0] < 10 * pair(late, name)[0] < 0
    terminals = "latest_category_log_terminals"
    assert pair(soon, terminals)[0] > 10 * pair(late, terminals)[0] > 0
    assert pair(soon, "category_engage_rate")[0] == pair(late, "category_engage_rate")[0]


def test_follows_seen_and_liked_are_marked() -> None:
    state = watched(1)
    state.apply({"event_type": "like", "content_id": "c1"}, NOW, None)
    state.apply({"event_type": "follow", "creator_id": "ann"}, NOW, None)
    features = features_of(state, content(1), content(2, creator="bob"))
    assert pair(features, "content_in_history").tolist() == [1, 0]
    assert pair(features, "content_liked").tolist() == [1, 0]
    assert pair(features, "creator_followed").tolist() == [1, 0]


def test_midnight_and_the_hours_before_it_are_neighbours() -> None:
    midnight = 1_650_067_200.0
    before, after = (features_of(UserState.empty("u"), content(1), now=midnight + shift) for shift in (-1, 1))
    assert dense(before, "hour_sin")[0] == pytest.approx(dense(after, "hour_sin")[0], abs=1e-3)
    assert dense(before, "hour_cos")[0] == pytest.approx(1, abs=1e-3)
    assert before.ids["hour"][0] != after.ids["hour"][0]


def test_durations_fall_into_buckets() -> None:
    durations = [None, 0.0, 5.0, 5.1, 60.0, 86_400.0]
    features = features_of(UserState.empty("u"), *(content(1, duration=d) for d in durations))
    buckets = features.ids["duration_bucket"].tolist()
    assert buckets[0] == MISSING_KEY
    assert buckets[2] == buckets[3]
    assert len(set(buckets)) == 5
    assert pair(features, "duration_known").tolist() == [0, 1, 1, 1, 1, 1]


def test_traits_are_plain_fields_of_the_profile_in_any_order() -> None:
    contents = ContentColumns.of([content(1)])
    profile = {"age_group": "18", "location": "Oslo", "creators_followed": ["ann"], "empty": ""}
    turned = dict(reversed(profile.items()))
    traits = [
        assemble(UserState.empty("u"), p, CONTEXT, contents, NOW, None).bags["traits"]
        for p in (profile, turned)
    ]
    assert len(traits[0].values) == 2
    np.testing.assert_array_equal(traits[0].values, traits[1].values)


def test_a_person_alone_has_the_shared_features_of_any_request() -> None:
    state = watched(1, 2)
    alone = assemble_person(state, None, CONTEXT, NOW)
    beside = features_of(state, content(3))
    assert len(alone) == 1
    assert (alone.dense[0, :NUM_USER_DENSE] == beside.dense[0, :NUM_USER_DENSE]).all()
    assert alone.ids["content"][0] == MISSING_KEY
    np.testing.assert_array_equal(alone.bags["history"].values, beside.bags["history"].values)


def test_features_change_nothing_and_repeat() -> None:
    state = watched(1, 2)
    before = state.to_bytes()
    first, second = features_of(state, content(3)), features_of(state, content(3))
    assert state.to_bytes() == before
    np.testing.assert_array_equal(first.dense, second.dense)


@given(rows=st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_a_candidates_features_do_not_depend_on_the_others(rows: list[int]) -> None:
    contents = ContentColumns.of(
        [content(n, f"cat{n % 3}", f"creator{n % 2}", 3.0 * n or None) for n in range(7)]
    )
    state = watched(1, 2, 3, skipped=(2,))
    chosen = np.array(rows)
    whole = assemble(state, None, CONTEXT, contents, NOW, None).take(chosen)
    alone = assemble(state, None, CONTEXT, contents.take(chosen), NOW, None)
    np.testing.assert_array_equal(whole.dense, alone.dense)
    for name in ID_FEATURES:
        np.testing.assert_array_equal(whole.ids[name], alone.ids[name])
    assert dataclasses.asdict(whole.bags["tags"])["values"].tolist() == alone.bags["tags"].values.tolist()


def test_crossed_keys_differ_by_either_side_and_miss_with_either() -> None:
    keys = np.array([1, 2, MISSING_KEY], dtype=np.uint64)
    assert len({*crossed(7, keys)[:2].tolist(), *crossed(8, keys)[:2].tolist()}) == 4
    assert crossed(7, keys)[2] == MISSING_KEY
    assert (crossed(MISSING_KEY, keys) == MISSING_KEY).all()
