"""What an explained answer tells of every item."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serve_app.feed_answer import feed_answer
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.epsilon_greedy_exploration import ExplorationSettings
from tests.fakes import KnownModel, content, counted, ranking_request, replica_of

CONTENTS = [content(f"c{index}", f"u{index}", f"k{index % 2}") for index in range(30)]


@pytest.fixture
def answer() -> dict:
    replica = replica_of(CONTENTS, counters=counted({"c3": 500.0}))
    model = KnownModel({f"c{index}": index / 30 for index in range(30)})
    settings = PipelineSettings(exploration=ExplorationSettings(epsilon=0.4))
    request = replace(ranking_request(replica, limit=12, seed=3), explain=True)
    slate = build_pipeline(settings, replica, model).rank(request)
    return feed_answer(request, "r", slate, replica, num_partitions=4, explain=True)


def test_every_items_parts_add_up_to_its_score(answer: dict) -> None:
    for item in answer["items"]:
        parts = sum(item["signals"].values()) + sum(item["adjustments"].values())
        assert parts == pytest.approx(item["score"], abs=1e-4)


def test_every_move_is_told(answer: dict) -> None:
    places = [item["places"] for item in answer["items"]]

    assert [place["shown"] for place in places] == list(range(1, 13))
    assert any(item["explored"] for item in answer["items"])
    for item in answer["items"]:
        by_score, by_selector = item["places"]["by_score"], item["places"]["by_selector"]
        assert item["moved_by_diversity"] == (0 if by_selector is None else by_score - by_selector)
        assert by_selector is not None or item["explored"] or item["propensity"] < 1


def test_sources_stages_and_failures_are_named(answer: dict) -> None:
    assert answer["failed_sources"] == {}
    assert {stage["kind"] for stage in answer["stages"]} >= {"source", "filter", "scorer", "exploration"}
    assert all(item["source"] and item["reason"] for item in answer["items"])
