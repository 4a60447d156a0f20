"""Who is shown what: reviews, ages, languages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from messages.impressions import RequestContext
from serve_app.pipeline.age_filter import AgeFilter, AgeSettings
from serve_app.pipeline.candidate import Candidates, Proposal
from serve_app.pipeline.language_filter import LanguageFilter
from serve_app.pipeline.moderation_filter import ModerationFilter
from tests.fakes import NOW, content, delta, ranking_request, replica_of


def kept(stage, replica, request) -> list[str]:
    contents = replica.state.contents
    rows = np.flatnonzero(contents.live)
    candidates = Candidates.of([Proposal.of(rows)], contents.content_keys, contents.creator_keys)
    return replica.contents(rows[stage.keep(request, candidates)]).content_ids


def test_only_what_a_review_approved_is_shown_until_it_is_reviewed_again() -> None:
    replica = replica_of(
        [content("new"), content("waits", moderation="pending"), content("bad", moderation="rejected")]
    )
    stage, request = ModerationFilter(replica), ranking_request(replica)
    assert kept(stage, replica, request) == ["new"]

    reviewed = [content("waits"), content("new", moderation="rejected")]
    replica.apply_whole(delta(2, previous=1, contents=reviewed))

    assert kept(stage, replica, request) == ["waits"]


@pytest.mark.parametrize(
    ("profile_language", "asked_in", "expected"),
    [
        (None, "", ["en", "de", "unsaid"]),
        ("de-CH", "", ["de", "unsaid"]),
        (None, "EN_us", ["en", "unsaid"]),
        ("de", "en", ["en", "de", "unsaid"]),
    ],
)
def test_languages_of_request_and_profile_decide(
    profile_language: str | None, asked_in: str, expected: list[str]
) -> None:
    replica = replica_of(
        [content("en", language="en-GB"), content("de", language="DE"), content("unsaid"),
         content("fr", language="fr")][: 4 if profile_language or asked_in else 3]
    )  # fmt: skip
    profile = {"demographics": {"language": profile_language}}
    request = replace(ranking_request(replica, profile=profile), context=RequestContext(language=asked_in))

    assert kept(LanguageFilter(replica), replica, request) == expected


@pytest.mark.parametrize(
    ("age_group", "expected"),
    [("18-24", ["all", "adults"]), ("65+", ["all", "adults"]), ("13-17", ["all"]), (None, ["all"])],
)
def test_nobody_too_young_or_of_unknown_age_sees_what_is_for_adults(
    age_group: str | None, expected: list[str]
) -> None:
    replica = replica_of([content("all"), content("adults", min_age=18)])
    request = ranking_request(replica, profile={"demographics": {"age_group": age_group}})

    assert kept(AgeFilter(AgeSettings(), replica), replica, request) == expected


def test_contents_older_than_the_bound_go() -> None:
    replica = replica_of([content("old", uploaded=NOW - 8 * 86_400), content("young", uploaded=NOW)])
    request = ranking_request(replica)

    assert kept(AgeFilter(AgeSettings(max_days=7), replica), replica, request) == ["young"]
    assert kept(AgeFilter(AgeSettings(), replica), replica, request) == ["old", "young"]
