import numpy as np

from learners.features.assembly import assemble
from learners.user_state import UserState
from learners.validation_segments import FRESH_HOURS, NEWCOMER_WATCHINGS, segments_of
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.impressions import RequestContext

NOW = 1_650_000_000.0


def features_of(num_watched: int, age_hours: float):
    state = UserState.empty("u")
    for number in range(num_watched):
        state.apply({"event_type": "skip", "content_id": f"c{number}"}, NOW, None)
    contents = ContentColumns.of([ContentFacts("x", "a", NOW - 3_600 * age_hours, ContentMetadata())])
    return assemble(state, None, RequestContext(), contents, NOW, None)


def named(features) -> set[str]:
    return {name for name, rows in segments_of(features).items() if rows[0]}


def test_people_are_newcomers_until_they_have_watched_a_little() -> None:
    few, many = int(NEWCOMER_WATCHINGS) - 1, int(NEWCOMER_WATCHINGS) + 1
    assert named(features_of(few, 0)) == {"newcomers", "fresh_contents"}
    assert named(features_of(many, 0)) == {"regulars", "fresh_contents"}


def test_contents_are_fresh_for_a_day() -> None:
    assert "fresh_contents" in named(features_of(0, FRESH_HOURS - 1))
    assert "older_contents" in named(features_of(0, FRESH_HOURS + 1))


def test_every_row_is_in_one_of_each_pair() -> None:
    segments = segments_of(features_of(3, 5))
    assert np.logical_xor(segments["newcomers"], segments["regulars"]).all()
    assert np.logical_xor(segments["fresh_contents"], segments["older_contents"]).all()
