"""`foryou quarantine list|show|admit`: batches that were not learned from, looked at and let in."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import numpy as np

from actors.admissions import read_entry
from actors.connections import Connections
from actors.quarantine_store import QuarantineEntry, QuarantineStore, UnknownEntryError
from actors.stream_reader import StreamTrimmedError
from foryou.running_endpoints import running_endpoints
from foryou.settings import SystemSettings
from learners.label_weights import is_positive, is_trained
from messages.events import EVENT_TYPES
from messages.examples import HEADS, ExampleBatch

_Answer = TypeVar("_Answer")
_POLL_SECONDS = 0.2


class QuarantineError(ValueError):
    """There is no such entry, or it cannot be read or let in; the text says why."""


def run_quarantine_list(settings: SystemSettings, group: str) -> dict[str, Any]:
    """Return every entry of a model, oldest first, with its state. Raises NotRunningError."""

    async def work(_: Connections, store: QuarantineStore) -> dict[str, Any]:
        entries = await store.entries()
        waiting = sum(entry.state == "waiting" for entry in entries)
        return {"model": group, "waiting": waiting, "entries": [_told(entry) for entry in entries]}

    return _with_store(settings, group, work)


def run_quarantine_show(settings: SystemSettings, group: str, number: int) -> dict[str, Any]:
    """Return what an entry's examples are. Raises QuarantineError, NotRunningError."""

    async def work(connections: Connections, store: QuarantineStore) -> dict[str, Any]:
        entry = await store.entry(number)
        return _told(entry) | summary_of(await read_entry(connections, entry))

    return _with_store(settings, group, work)


def run_quarantine_admit(
    settings: SystemSettings, group: str, number: int, *, timeout: float = 120.0
) -> dict[str, Any]:
    """Have an entry learned, exactly once however often it is asked for, and wait for it.

    It comes in with the learner's next update: at once where events arrive, within about a minute where none
    do. Raises QuarantineError where it is refused or not learned in `timeout` seconds (it may be later),
    NotRunningError.
    """

    async def work(_: Connections, store: QuarantineStore) -> dict[str, Any]:
        await store.request(number)
        deadline = time.monotonic() + timeout
        while True:
            entry = await store.entry(number)
            if entry.state == "refused":
                raise QuarantineError(f"entry {number} cannot be let in: {entry.refusal}")
            if entry.state == "learned":
                return _told(entry)
            if time.monotonic() >= deadline:
                raise QuarantineError(
                    f"entry {number} is asked for and not learned after {timeout:g} s: does the learner of "
                    f"{group} run? `foryou status` says so; it will come in once it does"
                )
            await asyncio.sleep(_POLL_SECONDS)

    return _with_store(settings, group, work)


def summary_of(batch: ExampleBatch) -> dict[str, Any]:
    """Say what is in a batch and what may be wrong with it: what happened, to whom, and odd numbers."""
    types = Counter(EVENT_TYPES[code] for code in batch.event_types.tolist())
    joined = batch.joined
    summary: dict[str, Any] = {
        "rows": len(batch),
        "joined": 0 if joined is None else len(joined),
        "events": dict(types.most_common()),
        "people": len(np.unique(batch.user_keys)),
        "contents": len(np.unique(batch.content_keys)),
        "first_time": float(batch.times.min()) if len(batch) else None,
        "last_time": float(batch.times.max()) if len(batch) else None,
    }
    if joined is None:
        return summary
    trained, positive = is_trained(joined.labels), is_positive(joined.labels)
    summary["positive_share"] = {
        head: float(positive[trained[:, column], column].mean())
        for column, head in enumerate(HEADS)
        if trained[:, column].any()
    }
    numbers = joined.features.dense
    if joined.features.counters is not None:
        numbers = np.concatenate([numbers, joined.features.counters], axis=1)
    finite = np.isfinite(numbers)
    summary["numbers_not_finite"] = int((~finite).sum())
    summary["largest_number"] = float(np.abs(numbers[finite]).max(initial=0))
    return summary


def _told(entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "state": entry.state,
        "reason": entry.reason,
        "examples": entry.examples,
        "time": entry.time,
        "spans": {str(partition): list(span) for partition, span in sorted(entry.spans.items())},
    } | ({"refusal": entry.refusal} if entry.refusal else {})


def _with_store(
    settings: SystemSettings,
    group: str,
    work: Callable[[Connections, QuarantineStore], Awaitable[_Answer]],
) -> _Answer:
    async def connected() -> _Answer:
        async with await Connections.open(running_endpoints(settings), "quarantine") as connections:
            return await work(connections, QuarantineStore(connections, group))

    try:
        return asyncio.run(connected())
    except (UnknownEntryError, StreamTrimmedError) as error:
        raise QuarantineError(str(error)) from error
