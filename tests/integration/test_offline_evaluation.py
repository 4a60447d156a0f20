"""Metrics against a second, plain implementation; splits; and models side by side on a small log."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foryou.evaluate_command import EvaluationError, run_evaluate_command
from foryou.report_tables import tables_of
from simulations.datasets import open_log
from simulations.interaction_table import TableLog
from simulations.movielens import read_movielens
from simulations.offline_baselines import NeighboursModel, PopularModel, RecentModel
from simulations.offline_metrics import catalogue_metrics, list_metrics, pair_metrics
from simulations.offline_table import fold_splits, table_of_log, temporal_split
from tests.unit.simulations.movielens_files import write_100k

RANKINGS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 10**6)), min_size=2, max_size=30, unique_by=lambda p: p[1]
)


def plain_auc(labels: list[bool], scores: list[float]) -> float:
    pairs = [
        (s, t)
        for s, x in zip(scores, labels, strict=True)
        for t, y in zip(scores, labels, strict=True)
        if x and not y
    ]
    return sum(1.0 if s > t else 0.5 if s == t else 0.0 for s, t in pairs) / len(pairs)


@given(RANKINGS)
def test_metrics_of_lists_agree_with_a_plain_implementation(ranking: list[tuple[bool, int]]) -> None:
    labels, scores = [label for label, _ in ranking], [float(score) for _, score in ranking]
    if not any(labels):
        return
    k = 5
    found = list_metrics(np.array(labels), np.array(scores), k)
    hits = [label for _, label in sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])]
    total = sum(hits)
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits[:k]))
    ideal = sum(1 / math.log2(place + 2) for place in range(min(total, k)))
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
    assert found[f"precision@{k}"] == pytest.approx(sum(hits[:k]) / k)
    assert found[f"recall@{k}"] == pytest.approx(sum(hits[:k]) / total)
    assert found[f"ndcg@{k}"] == pytest.approx(gain / ideal)
    assert found["map"] == pytest.approx(sum(precisions) / total)
    assert found["mrr"] == pytest.approx(1 / (hits.index(True) + 1))


def test_metrics_of_pairs_agree_with_a_plain_implementation() -> None:
    draws = random.Random(4)
    labels = [draws.random() < 0.4 for _ in range(200)]
    chances = [round(draws.random(), 2) for _ in range(200)]
    found = pair_metrics(np.array(labels), np.array(chances), np.array(chances))
    clipped = [min(max(chance, 1e-6), 1 - 1e-6) for chance in chances]
    loss = -sum(math.log(c if label else 1 - c) for c, label in zip(clipped, labels, strict=True)) / 200
    assert found["auc"] == pytest.approx(plain_auc(labels, chances))
    assert found["log_loss"] == pytest.approx(loss)
    assert pair_metrics(np.array(labels), np.array(chances), None)["log_loss"] is None
    assert pair_metrics(np.ones(3, dtype=bool), np.ones(3), None)["auc"] is None


def test_coverage_novelty_and_diversity_of_known_lists() -> None:
    lists = [np.array([0, 1]), np.array([1, 2])]
    tags = [{"a"}, {"a", "b"}, {"c"}, {"d"}]
    found = catalogue_metrics(lists, 4, np.array([3.0, 1.0, 0.0, 0.0]), 3, tags)
    assert found["coverage"] == 0.75
    assert found["novelty"] == pytest.approx((0 + 1 + 1 + 2) / 4)
    assert found["diversity"] == pytest.approx((0.5 + 1.0) / 2)


def test_a_split_by_time_learns_only_what_is_earlier(tmp_path: Path) -> None:
    table = read_movielens(write_100k(tmp_path))
    train, test = temporal_split(table)
    assert train.rows["time"].max() < test.rows["time"].min()
    assert len(train) + len(test) == len(table)
    assert 0.78 < len(train) / len(table) <= 0.8


def test_every_row_is_held_out_once(tmp_path: Path) -> None:
    table = read_movielens(write_100k(tmp_path))
    held = [test for _, test in fold_splits(table, 5)]
    assert sum(map(len, held)) == len(table)
    assert all(250 < len(test) < 350 for test in held)


def test_a_log_of_messages_holds_the_table_it_was_made_of(tmp_path: Path) -> None:
    log = TableLog(read_movielens(write_100k(tmp_path)), max_rows=400)

    class Messages:
        def __len__(self) -> int:
            return len(log)

        def windows(self):
            return log.windows()

    again = table_of_log("log", Messages())
    columns = ["user_id", "content_id", "time", "engaged", "long_view", "liked"]
    order = ["time", "user_id", "content_id"]
    first, second = (
        table.rows[columns].sort_values(order, ignore_index=True) for table in (log.table, again)
    )
    assert first.to_dict("list") == second.to_dict("list")


def test_baselines_order_as_their_names_say(tmp_path: Path) -> None:
    table = read_movielens(write_100k(tmp_path))
    contents = sorted(set(table.rows["content_id"]))
    everything = np.arange(len(contents))
    viewed = table.rows[table.rows["engaged"]]
    popular, recent, neighbours = PopularModel(), RecentModel(), NeighboursModel()
    for model in (popular, recent, neighbours):
        model.fit(table, contents)
    assert contents[int(np.argmax(recent.scores("1", everything)))] == viewed["content_id"].iloc[-1]
    counts = viewed["content_id"].value_counts()
    assert popular.scores("1", everything).max() == counts.max()
    person = viewed["user_id"].iloc[0]
    own = set(viewed[viewed["user_id"] == person]["content_id"])
    fans: dict[str, set[str]] = {
        content: set(rows["user_id"]) for content, rows in viewed.groupby("content_id")
    }
    wanted = contents[7]
    plain = sum(
        len(fans[wanted] & fans[view]) / math.sqrt(len(fans[wanted]) * len(fans[view]))
        for view in own
        if view != wanted and wanted in fans
    )
    whole = NeighboursModel(num_neighbours=len(contents))
    whole.fit(table, contents)
    assert whole.scores(person, np.array([7]))[0] == pytest.approx(plain, rel=1e-5)
    assert neighbours.scores("nobody", everything).max() == 0


def test_models_stand_side_by_side_in_one_report(tmp_path: Path) -> None:
    folder = write_100k(tmp_path, num_ratings=2_500)
    report = run_evaluate_command("movielens", folder, max_people=25)
    assert report["rows"] == 2_500
    assert {"foryou", "popular", "recent", "kNN"} <= set(report["models"])
    for metrics in report["models"].values():
        assert {"auc", "log_loss", "precision@10", "recall@10", "ndcg@10", "map", "mrr"} <= set(metrics)
        assert 0 < metrics["coverage"] <= 1
        assert 0 < metrics["diversity"] <= 1
    assert report["models"]["foryou"]["auc"] > max(0.55, report["models"]["popular"]["auc"])
    assert report["models"]["recent"]["log_loss"] is None
    columns = [column.header for column in tables_of(report, "Evaluation")[-1].columns]
    assert columns[1:] == list(report["models"])


def test_folds_are_averaged_and_repeatable(tmp_path: Path) -> None:
    folder = write_100k(tmp_path, num_ratings=600)
    first, second = (
        run_evaluate_command("movielens", folder, folds=2, max_people=5, with_peers=False) for _ in range(2)
    )
    assert first == second
    assert first["split"] == "2 folds"


def test_what_cannot_be_evaluated_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"u\.data"):
        run_evaluate_command("movielens", tmp_path)
    with pytest.raises(EvaluationError, match="too few"):
        run_evaluate_command("movielens", write_100k(tmp_path, num_ratings=5))
    assert open_log("movielens", tmp_path)


@pytest.mark.parametrize("options", [{"k": 0}, {"folds": 1}])
def test_a_size_that_is_none_is_said_in_words(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(EvaluationError, match=r"^--k is at least 1, --folds at least 2$"):
        run_evaluate_command("movielens", tmp_path, **options)
