"""EmbeddingTable against a dict of rows, whatever is learned, born, erased and asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from messages.updates import RowGradients, Rows
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.initializers import initial_rows
from parameter_server.settings import SlotSettings

SETTINGS = SlotSettings(dimension=3, optimizer="sgd", learning_rate=0.5)
UNIQUE_IDS = st.lists(st.integers(0, 40), max_size=12, unique=True).map(
    lambda ids: np.array(ids, dtype=np.uint64)
)


class TableBesideDict(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = EmbeddingTable("user", SETTINGS)
        self.rows: dict[int, np.ndarray] = {}
        self.changed_at: dict[int, int] = {}
        self.version = 0

    def first_value(self, key: int) -> np.ndarray:
        return initial_rows(np.array([key], dtype=np.uint64), 3, SETTINGS.initial_scale, "user")[0]

    @rule(ids=UNIQUE_IDS, slope=st.sampled_from([-1.0, 0.25, 2.0]))
    def learn(self, ids: np.ndarray, slope: float) -> None:
        self.version += 1
        gradients = np.full((len(ids), 3), slope, dtype=np.float32)
        self.table.apply(RowGradients(ids, gradients, np.ones(len(ids), dtype=np.uint32)), self.version)
        for key in ids.tolist():
            if key:
                before = self.rows.get(key, self.first_value(key))
                self.rows[key] = before - np.float32(0.5) * np.float32(slope)
                self.changed_at[key] = self.version

    @rule(ids=UNIQUE_IDS)
    def give_birth(self, ids: np.ndarray) -> None:
        self.version += 1
        values = np.arange(3 * len(ids), dtype=np.float32).reshape(-1, 3)
        unborn = [key for key in ids.tolist() if key and key not in self.rows]
        assert self.table.give_birth(Rows(ids, values), self.version) == len(unborn)
        for key, row in zip(ids.tolist(), values, strict=True):
            if key in unborn:
                self.rows[key] = row
                self.changed_at[key] = self.version

    @rule(ids=UNIQUE_IDS)
    def erase(self, ids: np.ndarray) -> None:
        self.version += 1
        erased = self.table.erase(ids)
        assert set(erased.tolist()) == {key for key in ids.tolist() if key in self.rows}
        for key in erased.tolist():
            del self.rows[key], self.changed_at[key]

    @rule(back=st.integers(0, 6))
    def ask_for_changes(self, back: int) -> None:
        since = max(0, self.version - back)
        changed = self.table.changed_since(since)
        assert len(set(changed.ids.tolist())) == len(changed)
        assert set(changed.ids.tolist()) == {key for key, at in self.changed_at.items() if at > since}
        assert np.array_equal(changed.values, self.table.read(changed.ids))

    @invariant()
    def reads_what_was_learned_and_first_values_elsewhere(self) -> None:
        ids = np.arange(42, dtype=np.uint64)
        expected = [self.rows.get(key, self.first_value(key)) for key in ids.tolist()]
        np.testing.assert_allclose(self.table.read(ids), expected, rtol=1e-6, atol=1e-6)
        assert not self.table.read(ids)[0].any()
        assert len(self.table) == len(self.rows)
        assert set(self.table.all_rows().ids.tolist()) == set(self.rows)


TestTableBesideDict = TableBesideDict.TestCase
TestTableBesideDict.settings = settings(stateful_step_count=20)


def many(ids: np.ndarray, dimension: int = 3) -> RowGradients:
    return RowGradients(ids, np.ones((len(ids), dimension), dtype=np.float32), np.ones(len(ids), np.uint32))


def test_every_row_is_found_when_the_table_is_many_chunks_large() -> None:
    table = EmbeddingTable("user", SETTINGS)
    ids = np.arange(1, 30_001, dtype=np.uint64)
    table.apply(many(ids), 1)
    expected = initial_rows(ids, 3, SETTINGS.initial_scale, "user") - np.float32(0.5)
    np.testing.assert_allclose(table.read(ids), expected, rtol=1e-6)


def test_changes_are_still_known_after_the_log_was_shortened() -> None:
    table = EmbeddingTable("user", SETTINGS)
    cold, hot = np.arange(1, 101, dtype=np.uint64), np.arange(101, 1_001, dtype=np.uint64)
    table.apply(many(cold), 1)
    for version in range(2, 60):
        table.apply(many(hot), version)
    assert table.num_bytes < 2_000_000
    assert len(table.changed_since(0)) == 1_000
    assert set(table.changed_since(1).ids.tolist()) == set(hot.tolist())
    assert len(table.changed_since(59)) == 0


def test_a_state_taken_from_one_table_continues_in_another() -> None:
    adam = SlotSettings(dimension=3, optimizer="adam")
    table, copy = EmbeddingTable("user", adam), EmbeddingTable("user", adam)
    ids = np.arange(1, 20, dtype=np.uint64)
    table.apply(many(ids), 1)
    copy.load(table.state())
    for both in (table, copy):
        both.apply(many(ids[5:]), 2)
    assert np.array_equal(table.read(ids), copy.read(ids))


def test_an_erased_row_begins_anew() -> None:
    table = EmbeddingTable("user", SlotSettings(dimension=3))
    ids = np.array([5], dtype=np.uint64)
    table.apply(many(ids), 1)
    after_one_step = table.read(ids)
    table.apply(many(ids), 2)
    table.erase(ids)
    assert np.array_equal(table.read(ids), initial_rows(ids, 3, 0.01, "user"))
    table.apply(many(ids), 3)
    assert np.array_equal(table.read(ids), after_one_step)
