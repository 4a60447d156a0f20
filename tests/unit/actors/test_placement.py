"""Parts ask for their kind of node only where the settings say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.placement import PlacementSettings

ROLES = (
    "joiner",
    "joiner+2",
    "learner",
    "learner+2",
    "learner-bolder+2",
    "counter-writer",
    "model",
    "shard-0",
    "shard-11",
)


def test_on_a_laptop_no_part_asks_for_a_node() -> None:
    placement = PlacementSettings()
    assert not any("resources" in placement.of_role(role) for role in ROLES)
    assert placement.of_replica() == {}


def test_shards_are_spread_over_their_nodes() -> None:
    assert PlacementSettings().of_role("shard-0") == {"scheduling_strategy": "SPREAD"}
    assert PlacementSettings(shard="shard").of_role("shard-3") == {
        "scheduling_strategy": "SPREAD",
        "resources": {"shard": 1.0},
    }


def test_learners_run_beside_the_shards_where_they_name_the_same_resource() -> None:
    placement = PlacementSettings(shard="memory", learner="memory")
    assert placement.of_role("learner")["resources"] == {"memory": 0.0001}
    assert placement.of_role("learner+2") == placement.of_role("learner")
    assert placement.of_role("learner-1") == placement.of_role("learner")


def test_every_other_part_is_a_worker() -> None:
    placement = PlacementSettings(worker="head", learner="learner")
    for role in ("joiner", "counter-writer", "model"):
        assert placement.of_role(role) == {"resources": {"head": 0.0001}}


@given(st.integers(1, 64))
def test_as_many_as_said_fit_on_a_node_and_no_more(per_node: int) -> None:
    placement = PlacementSettings(serving="serving", replicas_per_node=per_node)
    share = round(placement.of_replica()["resources"]["serving"] * 10_000)
    assert share * per_node <= 10_000 < share * (per_node + 1)
