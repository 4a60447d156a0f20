"""CuckooIndex against a dict, whatever is inserted, found and erased in whatever order."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from messages.identifiers import buckets_of, mix
from parameter_server.cuckoo_index import CuckooIndex

ids_of_few = st.lists(st.integers(0, 300), max_size=60).map(lambda ids: np.array(ids, dtype=np.uint64))


class IndexBesideDict(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.index = CuckooIndex(capacity=1)
        self.rows: dict[int, int] = {}
        self.highest = 0

    @rule(ids=ids_of_few)
    def insert(self, ids: np.ndarray) -> None:
        given = self.index.find_or_insert(ids)
        for key, row in zip(ids.tolist(), given.tolist(), strict=True):
            if key == 0:
                assert row == -1
            else:
                assert self.rows.setdefault(key, row) == row
        self.highest = max(self.highest, len(self.rows))

    @rule(ids=ids_of_few)
    def erase(self, ids: np.ndarray) -> None:
        expected = [self.rows.pop(key, -1) for key in ids.tolist()]
        assert self.index.erase(ids).tolist() == expected

    @rule(ids=ids_of_few)
    def find(self, ids: np.ndarray) -> None:
        assert self.index.find(ids).tolist() == [self.rows.get(key, -1) for key in ids.tolist()]

    @invariant()
    def no_two_ids_share_a_row(self) -> None:
        ids, rows = self.index.entries()
        assert dict(zip(ids.tolist(), rows.tolist(), strict=True)) == self.rows
        assert len(set(self.rows.values())) == len(self.rows) == len(self.index)

    @invariant()
    def erased_rows_are_given_out_again(self) -> None:
        assert self.index.num_row_slots <= self.highest


TestIndexBesideDict = IndexBesideDict.TestCase
TestIndexBesideDict.settings = settings(stateful_step_count=25)


def test_rows_stay_the_same_while_the_index_grows() -> None:
    index = CuckooIndex(capacity=1)
    ids = mix(np.arange(20_000, dtype=np.uint64))
    before = index.find_or_insert(ids[:100])
    index.find_or_insert(ids)
    assert np.array_equal(index.find(ids[:100]), before)
    assert np.array_equal(index.find(ids), np.arange(20_000))


def test_half_the_memory_of_the_index_is_in_use_at_least_before_it_grows() -> None:
    index = CuckooIndex(capacity=1)
    ids = mix(np.arange(1, 50_001, dtype=np.uint64))
    index.find_or_insert(ids)
    assert index.num_bytes < 2 * 1.25 * 16 * len(ids)


def test_ids_of_one_shard_alone_do_not_crowd_the_index() -> None:
    candidates = np.arange(1, 200_000, dtype=np.uint64)
    hosted = candidates[buckets_of(candidates) < 16]
    index = CuckooIndex(capacity=len(hosted))
    bytes_at_first = index.num_bytes
    index.find_or_insert(hosted)
    assert index.num_bytes == bytes_at_first


def test_an_id_twice_in_one_call_has_one_row() -> None:
    index = CuckooIndex()
    assert index.find_or_insert(np.array([7, 8, 7, 0], dtype=np.uint64)).tolist() == [0, 1, 0, -1]
