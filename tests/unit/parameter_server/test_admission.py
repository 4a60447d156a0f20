"""Which ids get a row: after enough occurrences, by lots that always fall the same way, or by birth."""

from __future__ import annotations

import numpy as np

from messages.updates import RowGradients, Rows
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.initializers import initial_rows
from parameter_server.settings import AdmissionSettings, SlotSettings

IDS = np.arange(1, 6, dtype=np.uint64)


def table_with(admission: AdmissionSettings, **others: float) -> EmbeddingTable:
    return EmbeddingTable("user", SlotSettings(dimension=2, admission=admission, **others))


def seen(ids: np.ndarray, times: int = 1) -> RowGradients:
    return RowGradients(ids, np.ones((len(ids), 2), dtype=np.float32), np.full(len(ids), times, np.uint32))


def test_an_id_is_given_a_row_at_its_nth_occurrence_in_however_many_batches() -> None:
    table = table_with(AdmissionSettings(min_count=3))
    table.apply(seen(IDS[:2]), 1)
    table.apply(seen(IDS[1:3], times=2), 2)
    assert table.holds(IDS).tolist() == [False, True, False, False, False]
    table.apply(seen(IDS[:1], times=2), 3)
    assert table.holds(IDS[:1]).all()
    numbers = table.statistics()
    assert (numbers["rows"], numbers["admitted"], numbers["candidates"]) == (2, 2, 1)
    assert numbers["refused"] == 1 + 1 + 2


def test_gradients_of_a_refused_id_are_dropped() -> None:
    table = table_with(AdmissionSettings(min_count=2))
    table.apply(seen(IDS), 1)
    assert np.array_equal(table.read(IDS), initial_rows(IDS, 2, 0.01, "user"))
    admitted, once = table_with(AdmissionSettings(min_count=2)), table_with(AdmissionSettings())
    admitted.apply(seen(IDS), 1)
    admitted.apply(seen(IDS), 2)
    once.apply(seen(IDS), 1)
    assert np.array_equal(admitted.read(IDS), once.read(IDS))


def test_a_born_row_needs_no_admission() -> None:
    table = table_with(AdmissionSettings(min_count=9, probability=0.01))
    assert table.give_birth(Rows(IDS, np.ones((5, 2), dtype=np.float32)), 1) == 5
    table.apply(seen(IDS), 2, draw=1)
    assert (table.read(IDS) < 1.0).all()


def test_lots_fall_the_same_way_whenever_the_same_batch_is_read() -> None:
    many = np.arange(1, 4_001, dtype=np.uint64)
    one, other = (
        table_with(AdmissionSettings(probability=0.25)),
        table_with(AdmissionSettings(probability=0.25)),
    )
    for table in (one, other):
        table.apply(seen(many), 1, draw=77)
    assert np.array_equal(one.holds(many), other.holds(many))
    assert abs(one.holds(many).mean() - 0.25) < 0.03
    one.apply(seen(many), 2, draw=78)
    assert abs(one.holds(many).mean() - (1 - 0.75**2)) < 0.03


def test_every_occurrence_is_a_lot_of_its_own() -> None:
    many = np.arange(1, 4_001, dtype=np.uint64)
    table = table_with(AdmissionSettings(probability=0.25))
    table.apply(seen(many, times=3), 1, draw=5)
    assert abs(table.holds(many).mean() - (1 - 0.75**3)) < 0.03


def test_no_more_candidates_are_kept_than_wanted_and_the_latest_stay() -> None:
    table = table_with(AdmissionSettings(min_count=2, max_candidates=256))
    ids = np.arange(1, 1_001, dtype=np.uint64)
    for version, part in enumerate(np.split(ids, 10), start=1):
        table.apply(seen(part), version, time=version)
        table.retire(version)
    assert table.statistics()["candidates"] <= 256
    table.apply(seen(ids), 11, time=11)
    assert table.holds(ids[-200:]).all()
    assert not table.holds(ids[:700]).any()


def test_candidates_that_have_not_been_seen_for_long_are_forgotten() -> None:
    table = table_with(AdmissionSettings(min_count=2), expire_after_seconds=10)
    table.apply(seen(IDS), 1, time=100)
    table.retire(111)
    table.apply(seen(IDS), 2, time=111)
    assert not table.holds(IDS).any()


def test_counts_of_candidates_come_along_in_a_state() -> None:
    table, copy = table_with(AdmissionSettings(min_count=2)), table_with(AdmissionSettings(min_count=2))
    table.apply(seen(IDS), 1)
    copy.load(table.state())
    copy.apply(seen(IDS[:2]), 2)
    assert copy.holds(IDS).tolist() == [True, True, False, False, False]
