"""Both experiments on a small stream: what is compared, what is equal, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foryou.experiment_comparison_command import ExperimentError, run_comparison_command
from foryou.settings import SystemSettings
from learners.joiner import JoinerSettings
from messages.examples import ExampleBatch
from simulations.datasets import open_log
from simulations.experiments.collisions import COLLISIONLESS, compare_collisions
from simulations.experiments.comparison import Comparison
from simulations.experiments.example_sources import ExampleSource
from simulations.experiments.progressive_auc import NUM_PARTS, AucCurve
from simulations.experiments.sync_interval import AT_ONCE, compare_sync_intervals, sync_numbers
from simulations.prepared_examples import examples_of_log, read_batches, write_batches
from tests.kuairand_files import write_log
from tests.training_batches import SETTINGS

ROWS = 400


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ExampleSource:
    folder = tmp_path_factory.mktemp("log")
    log = open_log("kuairand", write_log(folder / "files"), window_rows=40, max_rows=ROWS)
    path = folder / "log.examples"
    assert write_batches(path, examples_of_log(log, JoinerSettings())) >= ROWS
    return ExampleSource("log", "a log", lambda _: path)


def test_prepared_rows_have_all_their_features_and_come_back_from_the_file(source: ExampleSource) -> None:
    batches = read_batches(source.prepare(0))
    assert len(batches) == ROWS / 40
    for batch in batches:
        assert batch.joined is not None
        assert batch.joined.features.counters is not None
    first, last = batches[0].joined, batches[-1].joined
    assert first is not None
    assert last is not None
    unseen = first.features.counters
    assert unseen is not None
    assert (unseen == unseen[0]).all(), "nothing is counted before the first window"


def test_a_table_without_collisions_is_the_reference_and_ones_that_hash_share_rows(
    source: ExampleSource,
) -> None:
    comparison = compare_collisions(source, SETTINGS, seeds=[0, 1], sizes=[4.0, 0.02])
    assert list(comparison.curves) == [COLLISIONLESS, "4x", "0.02x"]
    assert comparison.facts[COLLISIONLESS]["collided_share"] == 0
    assert comparison.facts["0.02x"]["collided_share"] > comparison.facts["4x"]["collided_share"] > 0
    first, second = comparison.curves[COLLISIONLESS]
    assert first.whole != second.whole, "seeds begin with other weights"
    assert comparison.difference(COLLISIONLESS, "click").mean == 0


def test_syncing_before_every_batch_is_syncing_at_once(source: ExampleSource) -> None:
    comparison = compare_sync_intervals(
        source, SETTINGS, seeds=[0], intervals={"never": 1e12, "always": 1e-3}
    )
    at_once = comparison.curves[AT_ONCE][0]
    assert comparison.curves["always"][0] == at_once
    assert comparison.curves["never"][0] != at_once


def test_batches_between_two_syncs_are_served_alike() -> None:
    batches = [_at(time) for time in (0.0, 4.0, 9.0, 11.0, 10.5, 31.0)]
    assert sync_numbers(batches, 10.0).tolist() == [0, 0, 0, 1, 1, 3]


def _at(time: float) -> ExampleBatch:
    empty = ExampleBatch.empty()
    nothing = {name: np.zeros(1, getattr(empty, name).dtype) for name in ("event_types", "user_keys")}
    return ExampleBatch(
        times=np.array([time]),
        content_keys=nothing["user_keys"],
        creator_keys=nothing["user_keys"],
        long_views=np.zeros(1, np.bool_),
        watch_seconds=np.zeros(1, np.float32),
        joined=None,
        uploads=None,
        **nothing,
    )


def test_differences_are_taken_within_a_seed() -> None:
    def curve(auc: float) -> AucCurve:
        heads = ("click", "long_view")
        return AucCurve(
            dict.fromkeys(heads, auc), dict.fromkeys(heads, auc), dict.fromkeys(heads, [auc] * NUM_PARTS)
        )

    comparison = Comparison(
        "a",
        {"a": [curve(auc) for auc in (0.5, 0.7, 0.9)], "b": [curve(auc) for auc in (0.51, 0.71, 0.91)]},
        {"a": {}, "b": {}},
    )
    difference = comparison.difference("b", "click")
    assert difference.mean == pytest.approx(0.01)
    assert difference.high == pytest.approx(0.01)
    report = comparison.report("log")
    assert report["log_b_click_difference_low"] == pytest.approx(0.01)
    assert report["log_b_long_view_settled_difference"] == pytest.approx(0.01)
    assert report["log_a_click_auc_high"] > 0.9
    assert "| b | 0.7100 [" in comparison.table("A table")


@pytest.mark.parametrize("experiment", ["collisions", "sync-interval"])
def test_the_command_writes_plot_and_table_and_a_flat_report(tmp_path: Path, experiment: str) -> None:
    settings = SystemSettings(training=SETTINGS)
    report = run_comparison_command(
        settings,
        experiment,  # type: ignore[arg-type]
        report=tmp_path,
        path=write_log(tmp_path / "log"),
        preset=None,
        seeds=2,
        limit=200,
        window_rows=100,
    )
    assert all(not isinstance(value, dict | list) for value in report.values())
    assert json.loads(json.dumps(report))["seeds"] == 2
    assert Path(report["kuairand_plot"]).read_bytes().startswith(b"\x89PNG")
    assert "Means over 2 seeds" in Path(report["table"]).read_text()
    reference = COLLISIONLESS if experiment == "collisions" else AT_ONCE
    assert report[f"kuairand_{reference}_click_difference"] == 0


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    for arguments, said in (
        ({"seeds": 0}, "--seeds"),
        ({"preset": "nowhere"}, "--preset"),
        ({"preset": None}, "--path"),
        ({"path": tmp_path}, "log_standard"),
    ):
        with pytest.raises(ExperimentError, match=said):
            run_comparison_command(SystemSettings(), "collisions", report=tmp_path, **arguments)  # type: ignore[arg-type]
