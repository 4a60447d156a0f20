"""What a cluster is given, what it goes back to, and what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.placement import PlacementSettings
from foryou.deployment import (
    DeploymentError,
    check_for_a_cluster,
    missing_nodes,
    settings_to_return_to,
)
from foryou.deployment_log import Deployment, code_digest, kept_settings, settings_to_keep
from foryou.scale_replicas_command import settings_with_replicas
from foryou.settings import SystemSettings, load_settings
from foryou.system_plan import snapshot_root

CLUSTER = {
    "FORYOU_SERVICES__NATS_URL": "nats://secret@broker:4222",
    "FORYOU_SERVICES__STORE_URL": "redis://:secret@store:6379/0",
    "FORYOU_SHARDS__SNAPSHOTS": "abfs://snapshots@account/foryou/",
}


def settings(**changes: str) -> SystemSettings:
    return load_settings(environment=CLUSTER | changes)


def deployments(*kept: SystemSettings) -> list[Deployment]:
    return [
        Deployment(number=number, created_at=0.0, settings=settings_to_keep(one), code="c", actors="a")
        for number, one in enumerate(kept, start=1)
    ]


def test_a_cluster_is_given_servers_and_a_place_for_snapshots_that_all_nodes_reach() -> None:
    endpoints = check_for_a_cluster(settings())
    assert endpoints.nats_url.endswith("broker:4222")
    for name in CLUSTER:
        alone = {key: value for key, value in CLUSTER.items() if key != name}
        key = name.removeprefix("FORYOU_").lower().replace("__", ".")
        with pytest.raises(DeploymentError, match=key.replace(".", r"\.")):
            check_for_a_cluster(load_settings(environment=alone))


def test_what_is_kept_of_settings_holds_no_secret_and_comes_back_whole() -> None:
    present = settings(FORYOU_HTTP__REPLICAS="3")
    kept = settings_to_keep(present)
    assert "secret" not in str(kept)
    assert kept_settings(kept, present) == present


def test_going_back_takes_the_last_but_one_or_the_one_that_is_named() -> None:
    log = deployments(*(settings(FORYOU_SHARDS__COUNT=str(count)) for count in (1, 2, 3)))
    former, again = settings_to_return_to(log, settings(), None)
    assert (former.number, again.shards.count) == (2, 2)
    former, again = settings_to_return_to(log, settings(), 1)
    assert (former.number, again.shards.count) == (1, 1)
    assert again.services == settings().services


@pytest.mark.parametrize(("number", "kept"), [(None, 1), (7, 3), (None, 0)])
def test_there_is_no_going_back_to_what_was_not_kept(number: int | None, kept: int) -> None:
    with pytest.raises(DeploymentError, match="kept are"):
        settings_to_return_to(deployments(*[settings()] * kept), settings(), number)


def test_settings_of_other_code_are_refused_by_name() -> None:
    log = deployments(settings(), settings())
    log[0].settings["http"]["velocity"] = 1
    with pytest.raises(DeploymentError, match="velocity"):
        settings_to_return_to(log, settings(), 1)


def test_missing_nodes_are_told_by_kind() -> None:
    placement = PlacementSettings(shard="shard", serving="serving", learner="learner", replicas_per_node=2)
    there = {"CPU": 8.0, "shard": 1.0, "learner": 1.0}
    assert missing_nodes(placement, 3, 3, there) == {"shard": 2.0, "serving": 1.5}
    assert missing_nodes(placement, 1, 0, there) == {}
    assert missing_nodes(PlacementSettings(), 100, 100, {}) == {}


def test_snapshots_go_to_a_folder_or_a_uri_of_the_namespace(tmp_path: Path) -> None:
    assert snapshot_root(settings()) == "abfs://snapshots@account/foryou/live"
    folder = settings(FORYOU_SHARDS__SNAPSHOTS=str(tmp_path), FORYOU_NAMESPACE="shop")
    assert snapshot_root(folder) == tmp_path / "shop"


def test_the_code_has_another_name_when_a_module_changes(tmp_path: Path) -> None:
    (tmp_path / "foryou").mkdir()
    module = tmp_path / "foryou" / "one.py"
    module.write_text("a = 1\n")
    before = code_digest(tmp_path)
    assert code_digest(tmp_path) == before
    module.write_text("a = 2\n")
    assert code_digest(tmp_path) != before


def test_another_number_of_replicas_changes_nothing_else_of_what_is_deployed() -> None:
    running = settings(FORYOU_SYNC__EVERY_SECONDS="0.3", FORYOU_HTTP__MAX_REPLICAS="4")
    changed = settings_with_replicas(deployments(settings(), running), settings(), 3)
    assert changed.http.replicas == 3
    assert changed.model_copy(update={"http": running.http}) == running


@pytest.mark.parametrize(("number", "said"), [(0, "one at least"), (5, "max_replicas is 4")])
def test_a_number_of_replicas_that_cannot_be_is_refused(number: int, said: str) -> None:
    log = deployments(settings(FORYOU_HTTP__MAX_REPLICAS="4"))
    with pytest.raises(DeploymentError, match=said):
        settings_with_replicas(log, settings(), number)


def test_what_was_never_deployed_has_no_replicas_to_change() -> None:
    with pytest.raises(DeploymentError, match="nothing is deployed"):
        settings_with_replicas([], settings(), 2)
