"""Guardrails of a model, and a shadow against production on the same rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from messages.examples import HEADS, LabelKind
from messages.promises import Promises, row_keys_of
from monitoring.alert_rules import AlertRule
from monitoring.model_watch import ModelWatch, PairedShadow, normalized_loss
from monitoring.shadow_comparison import ShadowComparison
from tests.unit.monitoring.event_log import START, message_of, random_log

RULES = (
    AlertRule(
        name="loss_rises",
        metric="normalized_loss",
        window_seconds=5,
        deviation=0.2,
        baseline_seconds=60,
        for_seconds=2,
    ),
)


def promises(chance: float, *, rows: int = 200, engaged: float = 0.5, first: int = 0) -> Promises:
    """Return promises of `chance` for all heads, of rows of which a share engaged."""
    labels = np.full((rows, len(HEADS)), LabelKind.UNTRAINED, dtype=np.uint8)
    labels[:, 0] = LabelKind.OBSERVED_NEGATIVE
    labels[: int(rows * engaged), 0] = LabelKind.OBSERVED_POSITIVE
    keys = np.arange(first, first + rows, dtype=np.uint64)
    probabilities = np.full((rows, len(HEADS)), chance, dtype=np.float32)
    return Promises("model", keys, keys % np.uint64(150), labels, probabilities)


def test_a_model_that_gets_worse_fires_and_says_since_when() -> None:
    watch = ModelWatch(RULES)
    for second in range(30):
        watch.add(promises(0.5))
        assert watch.look(float(second)) == []
    changes = []
    for second in range(30, 40):
        watch.add(promises(0.99))
        changes += watch.look(float(second))
    assert [change.rule.name for change in changes] == ["loss_rises"]
    assert watch.health(40.0)[0].is_broken
    bad_since = watch.bad_since(40.0)
    assert bad_since is not None
    assert 24 < bad_since < 30


def test_people_who_do_other_things_do_not_make_a_model_ill() -> None:
    watch = ModelWatch(RULES)
    for second in range(30):
        watch.add(promises(0.05, rows=2_000, engaged=0.05))
        assert watch.look(float(second)) == []
    before = watch.values
    for second in range(30, 40):
        watch.add(promises(0.4, rows=2_000, engaged=0.4))
        assert watch.look(float(second)) == []
    assert watch.values["progressive_loss"] > 3 * before["progressive_loss"]
    assert watch.values["normalized_loss"] == pytest.approx(before["normalized_loss"])
    assert before["normalized_loss"] == pytest.approx(1.0), "it promises the rate, and no more"


def test_a_loss_where_nothing_was_uncertain_is_not_normalized() -> None:
    assert np.isnan(normalized_loss(3.0, np.array([[0, 5], [7, 0]])))


def test_a_few_rows_as_traffic_ends_do_not_make_a_model_ill() -> None:
    watch = ModelWatch(RULES)
    for second in range(30):
        watch.add(promises(0.5))
        assert watch.look(float(second)) == []
    watch.add(promises(0.5, rows=11, engaged=10.5 / 11))  # by their own rate they would lose half as much
    assert [watch.look(float(second)) for second in range(30, 40)] == [[]] * 10
    assert np.isnan(watch.values["normalized_loss"])
    watch.add(promises(0.5, rows=189, engaged=0.5))
    watch.look(40.0)
    assert watch.values["normalized_loss"] > 1, "they count with those that come next"


def test_a_model_that_says_nothing_is_not_called_ill() -> None:
    watch = ModelWatch(RULES)
    assert watch.look(1.0) == []
    assert watch.bad_since(1.0) is None


def test_ranking_counts_by_answers() -> None:
    watch = ModelWatch(RULES)
    watch.add_answers(3, 1, [1.0, 2.0, 3.0])
    watch.add_answers(1, 0, [4.0])
    watch.look(1.0)
    assert watch.values["error_rate"] == 0.25
    assert 3.0 < watch.values["latency_p95_ms"] <= 4.0


def test_rows_are_paired_whichever_model_is_first_and_whatever_the_batches() -> None:
    pair = PairedShadow(ShadowComparison(min_people=100))
    assert pair.add(promises(0.5, rows=300), is_production=True) == 0
    assert pair.add(promises(0.7, rows=100, engaged=1.0), is_production=False) == 100
    assert pair.add(promises(0.7, rows=300, first=100), is_production=False) == 200
    assert pair.add(promises(0.5, rows=100, first=300), is_production=True) == 100
    assert pair.comparison.num_rows == 400


def test_a_better_shadow_is_found_better() -> None:
    pair = PairedShadow(ShadowComparison(min_people=100, planned_people=150))
    for round_ in range(20):
        first = 200 * round_
        pair.add(promises(0.5, engaged=0.9, first=first), is_production=True)
        pair.add(promises(0.85, engaged=0.9, first=first), is_production=False)
    look = pair.comparison.look()
    assert look is not None
    assert float(look.high) < 0


def test_of_rows_that_only_one_has_seen_the_newest_are_kept() -> None:
    pair = PairedShadow(ShadowComparison(), max_waiting=50)
    pair.add(promises(0.5, rows=100), is_production=True)
    assert pair.add(promises(0.5, rows=100), is_production=False) == 50


def test_a_row_has_the_same_key_however_it_was_batched() -> None:
    events = [
        dataclasses.replace(event, time=START + moment, arm="one/new", model="candidate")
        for moment, event in enumerate(random_log(seed=1, n=6))
    ]
    whole = row_keys_of(message_of(events))
    apart = np.concatenate([row_keys_of(message_of(events[:2])), row_keys_of(message_of(events[2:]))])
    np.testing.assert_array_equal(whole, apart)
    assert len(np.unique(whole)) == len(events)


def test_promises_survive_the_wire() -> None:
    said = promises(0.3)
    read = Promises.decode(said.encode())
    assert read.group == "model"
    for name in ("row_keys", "user_keys", "labels", "probabilities"):
        np.testing.assert_array_equal(getattr(read, name), getattr(said, name))
