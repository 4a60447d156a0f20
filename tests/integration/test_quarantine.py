"""Batches that the guard puts aside, and what lets them in, on a real broker and store and real shards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from actors.quarantine_store import QuarantineEntry, QuarantineStore
from foryou.quarantine_command import (
    QuarantineError,
    run_quarantine_admit,
    run_quarantine_list,
    run_quarantine_show,
)
from foryou.settings import SystemSettings
from learners.joiner import JoinerSettings
from learners.learning_guard import LearningGuard
from learners.online_scaling import MOMENTS
from learners.quarantine import Verdict
from messages.updates import PullRequest
from tests.joined_traffic import CONTENTS, TRAINING, publish, publish_impressions, views, wait_for

USERS = [f"user-{index}" for index in range(6)]
GROUP = "production"
PRIOR_ROWS = 50


class StrictGuard(LearningGuard):
    """Refuses everything while `is_strict`."""

    is_strict = True

    def judge(self, loss: float, rows: int) -> Verdict:
        return self.refused("not today", rows) if self.is_strict and rows else super().judge(loss, rows)


def rows_learned(client: ParameterClient) -> int:
    """The statistics that scale the inputs count every row that was trained."""
    pulled = asyncio.run(client.pull(PullRequest(GROUP, {}, dense_newer_than=-1)))
    return int(pulled.dense[MOMENTS][0, 0]) - PRIOR_ROWS


def entries(endpoints: EndpointSettings) -> list[QuarantineEntry]:
    async def read() -> list[QuarantineEntry]:
        async with await Connections.open(endpoints, "test") as connections:
            return await QuarantineStore(connections, GROUP).entries()

    return asyncio.run(read())


def ask_for_all_twice(endpoints: EndpointSettings) -> None:
    async def ask() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            store = QuarantineStore(connections, GROUP)
            for entry in await store.entries() * 2:
                await store.request(entry.number)

    asyncio.run(ask())


def settings_of(endpoints: EndpointSettings) -> SystemSettings:
    return SystemSettings.model_validate(
        {
            "namespace": endpoints.namespace,
            "num_partitions": endpoints.num_partitions,
            "services": {"nats_url": endpoints.nats_url, "store_url": endpoints.store_url},
        }
    )


def test_what_was_put_aside_is_learned_once_when_it_is_let_in(
    endpoints: EndpointSettings,
    client: ParameterClient,
    started: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.learner_actor.LearningGuard", StrictGuard)
    monkeypatch.setattr(StrictGuard, "is_strict", True)
    monkeypatch.setattr("actors.admissions._ASK_SECONDS", 0.0)
    partitions = range(endpoints.num_partitions)
    settings = settings_of(endpoints)

    def learner() -> LearnerActor:
        worker: LearnerActor = started(
            LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings())
        )
        return worker

    started(JoinerActor(endpoints, JoinerSettings(), partitions))
    started(CounterWriter(endpoints, client, partitions, BatchingSettings()))
    publish_impressions(endpoints, USERS)
    first = learner()
    publish(endpoints, views(USERS, CONTENTS[:3]))
    put_aside = 3 * len(USERS)
    wait_for(lambda: sum(entry.examples for entry in entries(endpoints)) == put_aside, first.status)
    assert rows_learned(client) == 0
    listed = run_quarantine_list(settings, GROUP)
    assert listed["waiting"] == len(listed["entries"])
    assert {entry["reason"] for entry in listed["entries"]} == {"not today"}

    monkeypatch.setattr(StrictGuard, "is_strict", False)
    shown = run_quarantine_show(settings, GROUP, 1)
    assert shown["rows"] == shown["joined"] == shown["events"]["view"] == listed["entries"][0]["examples"]
    assert shown["positive_share"]["engage"] == 1
    assert shown["numbers_not_finite"] == 0

    ask_for_all_twice(endpoints)
    publish(endpoints, views(USERS, CONTENTS[3:4]))
    expected = put_aside + len(USERS)
    wait_for(lambda: {entry.state for entry in entries(endpoints)} == {"learned"}, first.status)
    wait_for(lambda: rows_learned(client) == expected, first.status)

    first.stop()
    second = learner()
    assert run_quarantine_admit(settings, GROUP, 1)["state"] == "learned"
    publish(endpoints, views(USERS, CONTENTS[4:5]))
    expected += len(USERS)
    wait_for(lambda: rows_learned(client) >= expected, second.status)
    assert rows_learned(client) == expected


def test_what_cannot_be_let_in_says_why(endpoints: EndpointSettings, started: Callable[[Any], Any]) -> None:
    settings = settings_of(endpoints)
    assert run_quarantine_list(settings, GROUP)["entries"] == []
    with pytest.raises(QuarantineError, match="no entry 7 in the quarantine of production; it has 0"):
        run_quarantine_show(settings, GROUP, 7)
    with pytest.raises(QuarantineError, match="no entry 0"):
        run_quarantine_admit(settings, GROUP, 0)
