"""The demo over an in-process system: all arms visited, all events learned, refusals borne or told."""

import asyncio

import pytest

from simulations.demo import Demo, DemoFailedError, DemoSettings
from simulations.demo_results import DemoProgress, DemoSummary
from simulations.world import WorldSettings
from tests.unit.simulations.in_process_api import InProcessApi

SETTINGS = DemoSettings(
    world=WorldSettings(num_people=12, num_contents=400, num_creators=20),
    duration_seconds=1.0,
    ramp_seconds=0.0,
    visits_per_second=100.0,
    slate=5,
    frozen_share=0.5,
    progress_seconds=0.1,
)


def run(api: InProcessApi, settings: DemoSettings = SETTINGS) -> tuple[DemoSummary, list[DemoProgress], Demo]:
    told: list[DemoProgress] = []
    demo = Demo(settings, api, on_progress=told.append)
    return asyncio.run(demo.run()), told, demo


def test_every_arm_is_visited_and_every_event_is_learned_once() -> None:
    api = InProcessApi()
    summary, told, demo = run(api)
    assert summary.events > 0
    assert summary.examples == summary.events
    assert summary.failures == 0
    statistics = api.system.streams.statistics()
    assert statistics["joined"] == summary.events
    assert statistics["dead_letters"] == 0
    for share in (summary.engagement_online, summary.engagement_random, summary.engagement_popular):
        assert 0 < share < 1
    assert summary.uplift == pytest.approx(summary.engagement_online / summary.engagement_random)
    assert summary.freshness_p50_ms > 0
    assert summary.model_version.startswith("a.")
    assert set(demo.engagement) == {"online", "random", "popular", "frozen", "online beside frozen"}
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases == ["uploading", "running", "draining"]
    assert told[-1].contents == 400
    assert told[-1].events == summary.events


def test_a_refused_batch_is_sent_again() -> None:
    settings = SETTINGS.model_copy(update={"duration_seconds": 0.2, "frozen_share": 0.0})
    summary, _, _ = run(InProcessApi(refusals=2), settings)
    assert summary.failures == 2
    assert summary.examples == summary.events > 0


def test_a_system_that_keeps_refusing_ends_the_demo_with_its_answer() -> None:
    settings = SETTINGS.model_copy(update={"max_failures": 3, "frozen_share": 0.0})
    with pytest.raises(DemoFailedError, match="503 the stream is full"):
        run(InProcessApi(refusals=10_000), settings)


def test_a_run_without_an_end_stops_when_told() -> None:
    async def stopped() -> DemoSummary:
        settings = SETTINGS.model_copy(update={"duration_seconds": None, "frozen_share": 0.0})
        demo: Demo

        def stop_after_three(progress: DemoProgress) -> None:
            if progress.visits >= 3:
                demo.stop()

        demo = Demo(settings, InProcessApi(), on_progress=stop_after_three)
        return await demo.run()

    assert asyncio.run(stopped()).events > 0


def test_the_catalogue_may_be_brought_in_by_another_way() -> None:
    api = InProcessApi()
    uploaded: list[str] = []

    async def bulk(contents: list) -> None:
        uploaded.extend(facts.content_id for facts in contents)
        for facts in contents:
            api.system.put_content(facts, 1_000.0)
        api.system.advance(1_000.0)

    settings = SETTINGS.model_copy(update={"duration_seconds": 0.05, "frozen_share": 0.0})
    summary = asyncio.run(Demo(settings, api, upload=bulk).run())
    assert len(uploaded) == 400
    assert summary.impressions > 0
