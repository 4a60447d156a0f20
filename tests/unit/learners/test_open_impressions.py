"""Open impressions against a slow list of everything that was ever shown."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.open_impressions import OpenImpressions, OpenSlate
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.identifiers import key_of
from messages.impressions import Impression, ModelVersion, RequestContext

HORIZON = 600.0
CREATORS = {"cat": "ann", "dog": "ann", "sea": "bob", "jam": ""}
USERS = ("eve", "dan")


def slate_of(user_id: str, number: int, content_ids: list[str], time: float) -> OpenSlate:
    contents = ContentColumns.of(
        [ContentFacts(content, CREATORS[content], 0.0, ContentMetadata()) for content in content_ids]
    )
    nothing = np.zeros(len(contents), dtype=np.float32)
    impression = Impression(
        request_id=f"{user_id}{number}",
        user_id=user_id,
        timestamp=time,
        model=ModelVersion("m", "l", 1),
        arm="",
        context=RequestContext(),
        contents=contents,
        propensities=nothing,
        scores=nothing,
        sources=[],
        features=None,
    )
    return OpenSlate.of(impression, time, clock_position=number)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(USERS),
            st.lists(st.sampled_from(sorted(CREATORS)), min_size=1, max_size=3),
            st.sampled_from([0, 1, 200, 400, 601]),
        ),
        max_size=25,
    ),
    st.integers(1, 4),
)
def test_the_latest_open_slate_is_found_by_request_content_and_creator(
    course: list[tuple[str, list[str], int]], max_per_user: int
) -> None:
    impressions = OpenImpressions(HORIZON, max_per_user)
    shown: list[tuple[str, list[str], OpenSlate]] = []
    time = 0.0
    for number, (user, contents, seconds) in enumerate(course, 1):
        time += seconds
        impressions.expire(time)
        slate = slate_of(user, number, contents, time)
        impressions.open(slate)
        shown.append((user, contents, slate))
        still_open = []
        for someone in USERS:
            theirs = [entry for entry in shown if entry[0] == someone and time - entry[2].opened <= HORIZON]
            theirs = theirs[-max_per_user:]
            still_open += theirs
            requests = impressions.requests_of(someone)
            assert list(requests.values()) == [entry[2] for entry in theirs]
            for content, creator in CREATORS.items():
                with_content = [entry[2] for entry in theirs if content in entry[1]]
                found = impressions.latest_with_content(someone, key_of(content))
                assert found is (with_content[-1] if with_content else None)
                with_creator = [
                    entry[2] for entry in theirs if creator and creator in map(CREATORS.get, entry[1])
                ]
                found = impressions.latest_with_creator(someone, key_of(creator))
                assert found is (with_creator[-1] if with_creator else None)
        assert len(impressions) == len(still_open)
        oldest = min(still_open, key=lambda entry: entry[2].clock_position)
        assert impressions.oldest is oldest[2]


def test_a_content_shown_twice_in_a_slate_stands_at_its_first_place() -> None:
    slate = slate_of("eve", 1, ["dog", "cat", "dog"], 0.0)
    assert slate.places == {key_of("dog"): 0, key_of("cat"): 1}
    assert slate.places_of_creator(key_of("ann")) == [0, 1, 2]
