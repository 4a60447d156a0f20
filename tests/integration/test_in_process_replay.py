"""A log in KuaiRand's layout, replayed in one process: every row predicted, then learned, once."""

from pathlib import Path

import pytest

from learners.joiner import JoinerSettings
from learners.ranking_model import RankingModelSettings
from learners.table_settings import RowAdmission, TableSettings
from learners.training_settings import TrainingSettings
from messages.identifiers import keys_of
from messages.updates import COUNTER_TOTAL_INDEX
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.in_process_learner import MODEL_GROUP
from simulations.in_process_replay import replay_in_process
from simulations.kuairand import KuaiRandLog
from simulations.replay_report import ReplayReport
from tests.kuairand_files import NUM_ROWS, write_log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log"))


def replay(folder: Path, **options: int) -> ReplayReport:
    log = KuaiRandLog(folder, window_rows=64, **options)
    return replay_in_process(log, training=TrainingSettings(), joiner=JoinerSettings())


def test_what_people_like_is_learned_from_their_log(folder: Path) -> None:
    report = replay(folder)
    assert report.rows == report.examples == NUM_ROWS
    assert report.auc_click > 0.6
    assert report.auc_long_view > 0.65
    assert 0.8 < report.calibration_click < 1.25
    assert 0.8 < report.calibration_long_view < 1.25
    assert report.rows_per_s > 100


def test_nothing_is_predicted_where_nothing_can_be_known(tmp_path: Path) -> None:
    """A row's own outcome, or a later row's, in its features would show here."""
    report = replay(write_log(tmp_path, shuffled=True))
    assert report.auc_click == pytest.approx(0.5, abs=0.04)
    assert report.auc_long_view == pytest.approx(0.5, abs=0.04)


def test_a_replay_can_be_repeated_to_the_last_digit(folder: Path) -> None:
    first, second = (replay(folder, max_rows=700) for _ in range(2))
    assert (first.auc_click, first.auc_long_view) == (second.auc_click, second.auc_long_view)


def test_the_number_of_shards_changes_nothing(folder: Path) -> None:
    reports = [
        InProcessSystem(InProcessSettings(num_shards=shards)).replay(
            KuaiRandLog(folder, window_rows=256, max_rows=700).windows()
        )
        for shards in (1, 3)
    ]
    assert reports[0].auc_click == pytest.approx(reports[1].auc_click, abs=1e-9)


def test_counters_hold_every_row_and_what_was_learned_is_served(folder: Path) -> None:
    system = InProcessSystem(InProcessSettings())
    log = KuaiRandLog(folder, window_rows=256, max_rows=1_000)
    system.replay(log.windows())
    keys = keys_of(str(video) for video in range(500))
    totals = system.replica.counters_of(keys).totals
    seen = totals[:, COUNTER_TOTAL_INDEX["views"]] + totals[:, COUNTER_TOTAL_INDEX["skips"]]
    assert seen.sum() == 1_000
    assert set(system.replica.positions) == set(range(16))
    assert not system.streams.dead_letters


def test_progress_is_told_by_window(folder: Path) -> None:
    told: list[int] = []
    log = KuaiRandLog(folder, window_rows=200, max_rows=500)
    replay_in_process(log, training=TrainingSettings(), joiner=JoinerSettings(), advance=told.append)
    assert sum(told) == 500
    assert len(told) == 3


def test_what_is_admitted_expired_and_evicted_is_the_same_in_every_run(folder: Path) -> None:
    tables = {
        "user": TableSettings(admission=RowAdmission(min_count=2, probability=0.5)),
        "content": TableSettings(max_rows=200),
        "creator": TableSettings(expire_after_seconds=1_800.0),
    }
    training = TrainingSettings(model=RankingModelSettings(tables=tables))

    def run() -> tuple[dict[str, object], ReplayReport]:
        system = InProcessSystem(InProcessSettings(joiner=JoinerSettings(), training=training))
        report = system.replay(KuaiRandLog(folder, window_rows=64).windows())
        kept = [
            table
            for shard in system.learner.shards.values()
            for table in shard.statistics()["groups"][MODEL_GROUP]["tables"].items()
        ]
        return {f"{place} {slot}": table for place, (slot, table) in enumerate(kept)}, report

    (first, first_report), (second, second_report) = run(), run()
    assert first == second
    assert (first_report.auc_click, first_report.auc_long_view) == (
        second_report.auc_click,
        second_report.auc_long_view,
    )

    def total(slot: str, what: str) -> int:
        return sum(int(table[what]) for name, table in first.items() if name.endswith(f" {slot}"))  # type: ignore[index]

    assert total("user", "admitted") > 0
    assert total("creator", "expired") > 0
    assert total("content", "evicted") > 0
    assert total("content", "rows") <= 200
