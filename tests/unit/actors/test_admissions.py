"""Which update carries what was let in: the one that takes buckets past the position it is bound to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admissions import Admissions, passes
from actors.quarantine_store import QuarantineEntry
from messages.updates import Span


class EntriesInMemory:
    def __init__(self, *entries: QuarantineEntry) -> None:
        self.kept = list(entries)

    async def entries(self) -> list[QuarantineEntry]:
        return list(self.kept)

    async def entry(self, number: int) -> QuarantineEntry:
        return self.kept[number - 1]

    async def num_requested(self) -> int:
        return sum(entry.state != "waiting" for entry in self.kept)

    async def bind(self, number: int, partition: int, position: int, epoch: int) -> None:
        self._put(number, state="bound", bound_to=(partition, position))

    async def mark_learned(self, number: int) -> None:
        self._put(number, state="learned")

    async def refuse(self, number: int, reason: str) -> None:
        self._put(number, state="refused", refusal=reason)

    def _put(self, number: int, **changes: Any) -> None:
        self.kept[number - 1] = replace(self.kept[number - 1], **changes)


def entry(number: int, state: str = "requested") -> QuarantineEntry:
    return QuarantineEntry(number, {0: (0, 1)}, "a spike", state=cast(Any, state))


def span(start: int, end: int) -> Span:
    return Span(start=start, end=end, feed_position=end, watermark=1.0, examples=1)


def owner(store: EntriesInMemory) -> Admissions:
    return Admissions(cast(Any, None), cast(Any, store), epoch=1)


def coming(admissions: Admissions, spans: dict[int, Span], *, may_bind: bool = True) -> list[int]:
    found = asyncio.run(admissions.coming_with(spans, may_bind=may_bind))
    return [entry.number for entry in found]


@given(cuts=st.sets(st.integers(1, 40), min_size=1), position=st.integers(1, 40))
def test_however_a_stretch_is_cut_one_span_passes_a_position(cuts: set[int], position: int) -> None:
    ends = sorted(cuts | {40})
    spans = [{3: span(start, end)} for start, end in zip([0, *ends], ends, strict=False)]
    assert sum(passes(part, (3, position)) for part in spans) == 1
    assert not any(passes(part, (2, position)) for part in spans)


def test_what_is_asked_for_comes_with_the_next_update_and_with_no_other() -> None:
    store = EntriesInMemory(entry(1, "waiting"), entry(2))
    admissions = owner(store)
    assert coming(admissions, {0: span(4, 9), 1: span(2, 3)}) == [2]
    assert store.kept[1].bound_to == (0, 9)
    assert coming(admissions, {0: span(9, 12)}) == []
    assert coming(admissions, {1: span(3, 9)}) == []


def test_a_successor_carries_it_too_where_the_update_did_not_arrive() -> None:
    store = EntriesInMemory(entry(1))
    assert coming(owner(store), {0: span(4, 9)}) == [1]
    successor = owner(store)
    assert coming(successor, {0: span(4, 7)}, may_bind=False) == []
    assert coming(successor, {0: span(7, 11)}) == [1]


def test_a_shard_that_fell_back_takes_it_again_with_the_same_position() -> None:
    store = EntriesInMemory(entry(1))
    admissions = owner(store)
    assert coming(admissions, {0: span(4, 9)}) == [1]
    asyncio.run(admissions.learned({0: span(4, 9)}))
    assert store.kept[0].state == "learned"
    assert coming(owner(store), {0: span(0, 20)}, may_bind=False) == [1]


def test_nothing_is_bound_while_buckets_differ() -> None:
    """One that is past the position already would never take it."""
    store = EntriesInMemory(entry(1))
    admissions = owner(store)
    assert coming(admissions, {0: span(4, 9)}, may_bind=False) == []
    assert store.kept[0].bound_to is None
    assert coming(admissions, {0: span(9, 10)}) == [1]


def test_it_is_learned_only_once_every_bucket_is_past_it() -> None:
    store = EntriesInMemory(entry(1))
    admissions = owner(store)
    coming(admissions, {0: span(4, 9)})
    asyncio.run(admissions.learned({1: span(0, 99)}))
    asyncio.run(admissions.learned({0: span(4, 8)}))
    assert store.kept[0].state == "bound"
    asyncio.run(admissions.learned({0: span(8, 9)}))
    assert store.kept[0].state == "learned"


def test_what_was_refused_comes_no_more() -> None:
    store = EntriesInMemory(entry(1))
    admissions = owner(store)
    (found,) = asyncio.run(admissions.coming_with({0: span(4, 9)}, may_bind=True))
    asyncio.run(admissions.refuse(found, "the loss is nan"))
    assert coming(admissions, {0: span(4, 9)}) == []
    assert store.kept[0].refusal == "the loss is nan"


@pytest.mark.parametrize("state", ["waiting", "refused"])
def test_nobody_asked_for_it(state: str) -> None:
    assert coming(owner(EntriesInMemory(entry(1, state))), {0: span(0, 9)}) == []
