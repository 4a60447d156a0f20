"""KPIs and experiments from a real stream into a real store: exactly once, also across a crash."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from actors.connections import Connections, EndpointSettings
from actors.epochs import OvertakenError
from actors.kpi_ledger import KpiLedger
from actors.kpi_report import report_of
from actors.models_settings import ModelsSettings
from actors.streams import StreamSettings, ensure_streams
from messages.examples_header import ExamplesHeader
from monitoring.experiment_assignment import ArmSettings, ExperimentSettings
from monitoring.user_totals import UserTotals
from tests.unit.monitoring.event_log import START, LoggedEvent, message_of, random_log

EXPERIMENT = ExperimentSettings(
    name="one",
    arms=(
        ArmSettings(name="control", model_id="production"),
        ArmSettings(name="new", model_id="candidate"),
    ),
)
SETTINGS = ModelsSettings()
STREAMS = StreamSettings(max_bytes=2**24, max_dead_bytes=2**20)
NOW = START + 86_400.0


def ledger_of(connections: Connections) -> KpiLedger:
    return KpiLedger(connections, SETTINGS, content_ages=None)  # the log's contents have no features


async def append(connections: Connections, parts: Sequence[Sequence[LoggedEvent]]) -> None:
    """Append one EXAMPLES message for each part, partitions in turn."""
    for number, events in enumerate(parts):
        partition = number % connections.num_partitions
        header = ExamplesHeader("test", number + 1, START, 0, 0)
        await connections.js.publish(
            connections.namespace.examples_subject(partition),
            message_of(list(events)).encode(),
            headers=header.to_headers(),
        )


async def read_all(ledger: KpiLedger, messages: int) -> None:
    while messages > 0:
        messages -= await ledger.read(2.0)


def parts_of(log: list[LoggedEvent]) -> list[list[LoggedEvent]]:
    return [log[start : start + 7] for start in range(0, len(log), 7)]


def seen(ledger: KpiLedger) -> dict[str, Any]:
    """Return everything the ledger would say, with NaN as None, which equals itself."""
    reading = ledger.look(EXPERIMENT, START)
    report = report_of(ledger.kpis, {}, NOW)
    segments = {
        name: {kpi: None if math.isnan(value) else value for kpi, value in values.items()}
        for name, values in report["segments"].items()
    }
    return {"segments": segments, "people": reading.people}


def test_after_a_crash_all_is_counted_once(endpoints: EndpointSettings) -> None:
    log = random_log(seed=3, n=200)
    parts = parts_of(log)
    half = len(parts) // 2

    async def run() -> tuple[dict[str, Any], dict[str, Any]]:
        async with await Connections.open(endpoints, "test") as connections:
            await ensure_streams(connections.js, connections.namespace, STREAMS)
            await append(connections, parts[:half])
            first = ledger_of(connections)
            await first.open()
            first.look(EXPERIMENT, START)
            await read_all(first, half)
            await first.store()
            await append(connections, parts[half:])
            await read_all(first, len(parts) - half)  # counted, and lost with the crash before it is stored
            assert (first.num_events, first.num_joined) == (200, sum(event.arm is not None for event in log))
            expected = seen(first)
            await first.close()
            second = ledger_of(connections)
            await second.open()
            await read_all(second, len(parts) - half)
            await second.store()
            third = ledger_of(connections)
            await third.open()
            assert seen(second) == expected
            await second.close()
            return expected, seen(third)

    expected, restored = asyncio.run(run())
    assert expected["segments"]["all"]["events"] > 0
    assert min(expected["people"]) > 0
    assert restored == expected


def test_an_experiment_begins_with_everybodys_past_as_their_history(endpoints: EndpointSettings) -> None:
    log = random_log(seed=5, n=300)
    middle = START + 2 * 86_400.0
    before = [event for event in log if event.time < middle]
    since = [event for event in log if event.time >= middle]

    async def run() -> bytes:
        async with await Connections.open(endpoints, "test") as connections:
            await ensure_streams(connections.js, connections.namespace, STREAMS)
            await append(connections, parts_of(before))
            ledger = ledger_of(connections)
            await ledger.open()
            await read_all(ledger, len(parts_of(before)))
            ledger.look(EXPERIMENT, middle)
            await append(connections, parts_of(since))
            await read_all(ledger, len(parts_of(since)))
            await ledger.close()
            return ledger.totals_of(EXPERIMENT, middle).encode()

    whole = UserTotals(("one/control", "one/new"), middle)
    for position, part in enumerate([*parts_of(before), *parts_of(since)], start=1):
        whole.add(message_of(part), partition=0, position=position)
    counted = UserTotals.decode(asyncio.run(run()))
    for arm in (0, 1):
        mine = counted.moments(arm, "engagements", "impressions")
        theirs = whole.moments(arm, "engagements", "impressions")
        assert repr(mine) == repr(theirs)


def test_of_two_that_count_the_later_goes_on_and_the_other_stops(endpoints: EndpointSettings) -> None:
    parts = parts_of(random_log(seed=4, n=50))

    async def run() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            await ensure_streams(connections.js, connections.namespace, STREAMS)
            await append(connections, parts)
            first, second = ledger_of(connections), ledger_of(connections)
            await first.open()
            await second.open()
            for ledger in (first, second):
                await read_all(ledger, len(parts))
            with pytest.raises(OvertakenError):
                await first.store()
            await second.store()
            for ledger in (first, second):
                await ledger.close()

    asyncio.run(run())
