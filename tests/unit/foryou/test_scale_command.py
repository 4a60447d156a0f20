"""How many shards there can be, and what is said where nobody runs to move buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from foryou.running_endpoints import NotRunningError
from foryou.scale_command import ScaleError, run_scale_shards
from foryou.scale_crew_command import run_scale_crew
from foryou.settings import SystemSettings, load_settings
from foryou.snapshot_create_command import run_snapshot_create


@pytest.fixture
def settings(tmp_path: Path) -> SystemSettings:
    return load_settings(flags={"services": {"state": str(tmp_path)}}, environment={})


@pytest.mark.parametrize("number", [0, -1, 257])
def test_a_number_that_cannot_be_is_refused_before_anything_is_asked(
    settings: SystemSettings, number: int
) -> None:
    with pytest.raises(ScaleError, match="between 1 and 256"):
        run_scale_shards(settings, number, timeout=1.0)


@pytest.mark.parametrize("number", [0, 5])
def test_joiners_and_learners_are_at_most_as_many_as_the_partitions_that_they_share(number: int) -> None:
    services = {"nats_url": "nats://127.0.0.1:1", "store_url": "redis://127.0.0.1:1/0"}
    settings = load_settings(flags={"services": services, "num_partitions": 4}, environment={})
    with pytest.raises(ScaleError, match="between 1 and 4"):
        run_scale_crew(settings, "learners", number, timeout=1.0)


def test_without_a_system_all_commands_say_how_to_start_one(settings: SystemSettings) -> None:
    with pytest.raises(NotRunningError, match="foryou up"):
        run_scale_shards(settings, 3, timeout=1.0)
    with pytest.raises(NotRunningError, match="foryou up"):
        run_scale_crew(settings, "joiners", 2, timeout=1.0)
    with pytest.raises(NotRunningError, match="foryou up"):
        run_snapshot_create(settings, timeout=1.0)
