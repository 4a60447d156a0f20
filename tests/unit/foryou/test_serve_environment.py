"""What Serve reads from the environment while a system runs."""

from __future__ import annotations

import os

import pytest

from actors.feed_publisher import _PUBLISH_TIMEOUT_SECONDS
from actors.user_store import connect_store
from foryou.serve_environment import serve_environment
from serve_app.feed_service import FeedServiceSettings

TASK_EVENTS = "RAY_task_events_report_interval_ms"
DRAINING = "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"
HARD_STOP = "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"


def test_a_replaced_proxy_cuts_no_request_that_waits_for_store_broker_and_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(HARD_STOP, raising=False)
    store = connect_store("redis://127.0.0.1:1/0").connection_pool.connection_kwargs["socket_timeout"]
    longest = store + _PUBLISH_TIMEOUT_SECONDS + FeedServiceSettings().catch_up_seconds
    with serve_environment(loopback=False):
        assert int(os.environ[HARD_STOP]) > longest
    assert HARD_STOP not in os.environ


def test_what_an_operator_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HARD_STOP, "90")
    with serve_environment(loopback=False):
        assert os.environ[HARD_STOP] == "90"
    assert os.environ[HARD_STOP] == "90"


@pytest.mark.parametrize(("own_cluster", "seconds"), [(True, "0"), (False, "30")])
def test_replicas_take_their_time_to_leave_only_where_others_may_still_send_requests(
    monkeypatch: pytest.MonkeyPatch, own_cluster: bool, seconds: str
) -> None:
    monkeypatch.delenv(DRAINING, raising=False)
    with serve_environment(loopback=False, own_cluster=own_cluster):
        assert os.environ[DRAINING] == seconds


@pytest.mark.parametrize("own_cluster", [True, False])
def test_what_others_may_read_of_a_cluster_is_left_out_of_our_own_alone(
    monkeypatch: pytest.MonkeyPatch, own_cluster: bool
) -> None:
    monkeypatch.delenv(TASK_EVENTS, raising=False)
    with serve_environment(loopback=False, own_cluster=own_cluster):
        assert (TASK_EVENTS in os.environ) == own_cluster
