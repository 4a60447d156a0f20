import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.examples import HEAD_INDEX, HEADS, LabelKind
from messages.features import FeatureBatch, IdBags
from monitoring.calibration_table import CalibrationTable

LIKE = HEAD_INDEX["like"]
NAMES = ("category", "traits")


def rows(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, FeatureBatch]:
    generator = np.random.default_rng(seed)
    bags = [generator.integers(1, 4, size=generator.integers(0, 3)).astype(np.uint64) for _ in range(n)]
    features = FeatureBatch(
        ids={"category": generator.integers(0, 3, size=n).astype(np.uint64)},
        bags={"traits": IdBags.of(bags)},
        dense=np.zeros((n, 0), np.float32),
        counters=None,
    )
    labels = generator.integers(0, len(LabelKind), size=(n, len(HEADS))).astype(np.uint8)
    return labels, generator.random((n, len(HEADS))).astype(np.float32), features


def table_of(seed: int, n: int, cuts: list[int]) -> CalibrationTable:
    labels, probabilities, features = rows(seed, n)
    table = CalibrationTable(NAMES)
    for part in np.split(np.arange(n), sorted(cuts)):
        table.add(labels[part], probabilities[part], features.take(part))
        table = CalibrationTable.decode(table.encode())
    return table


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_equals_the_plain_reference_however_it_is_cut_and_restored(seed: int, cuts: list[int]) -> None:
    labels, probabilities, features = rows(seed, 30)
    table = table_of(seed, 30, cuts)
    assert table.encode() == table_of(seed, 30, []).encode()
    for feature in NAMES:
        for group in (1, 2, 3):
            asked, promised, happened = 0, 0.0, 0
            for row in range(30):
                values = (
                    [features.ids["category"][row]]
                    if feature == "category"
                    else features.bags["traits"].take(np.array([row])).values
                )
                for value in values:
                    if value == group:
                        kind = labels[row, LIKE]
                        if kind not in (LabelKind.UNTRAINED, LabelKind.LATE_POSITIVE):
                            asked, promised = asked + 1, promised + float(probabilities[row, LIKE])
                        happened += kind in (2, 4, 5)
            seen = table.value("like", feature, group)
            assert seen.impressions == asked
            if asked:
                assert seen.promised == pytest.approx(promised / asked, abs=1e-8)
                assert seen.happened == happened / asked
            if happened:
                assert seen.ratio == pytest.approx(promised / happened, abs=1e-7)


def test_an_honest_model_has_a_ratio_of_about_one() -> None:
    generator = np.random.default_rng(0)
    _, probabilities, features = rows(0, 5_000)
    came = generator.random(probabilities.shape) < probabilities
    labels = np.where(came, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE).astype(np.uint8)
    table = CalibrationTable(NAMES)
    table.add(labels, probabilities, features)
    for head in HEADS:
        assert table.value(head).ratio == pytest.approx(1, abs=0.05)
    assert table.groups("category") == [1, 2]


def test_an_engagement_that_comes_late_answers_the_promise_made_before() -> None:
    _, probabilities, features = rows(1, 2)
    labels = np.full((2, len(HEADS)), LabelKind.UNTRAINED, np.uint8)
    labels[:, LIKE] = [LabelKind.PROVISIONAL_NEGATIVE, LabelKind.LATE_POSITIVE]
    table = CalibrationTable(())
    table.add(labels, probabilities, features)
    assert table.value("like").impressions == 1
    assert table.value("like").happened == 1.0


def test_tables_of_two_days_add_up() -> None:
    labels, probabilities, features = rows(4, 30)
    first, second = CalibrationTable(NAMES), CalibrationTable(NAMES)
    half = np.arange(15)
    first.add(labels[half], probabilities[half], features.take(half))
    second.add(labels[half + 15], probabilities[half + 15], features.take(half + 15))
    first.merge(second)
    assert first.encode() == table_of(4, 30, []).encode()


def test_knows_nothing_of_a_group_it_has_not_seen_and_refuses_what_is_no_chance() -> None:
    table = CalibrationTable(())
    assert math.isnan(table.value("like", "category", 9).ratio)
    labels, probabilities, features = rows(2, 3)
    labels[:] = LabelKind.OBSERVED_NEGATIVE
    with pytest.raises(ValueError, match="probability"):
        table.add(labels, probabilities * np.float32(np.nan), features)
