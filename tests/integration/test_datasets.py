"""Logs of several kinds are read as the same interactions, checked, and cut to a stretch of time."""

import json
from pathlib import Path

import pandas as pd
import pytest

from foryou.datasets_command import DatasetError, moment_of, run_datasets_command
from simulations.datasets import SOURCES, open_log
from simulations.interaction_table import TableLog
from simulations.mapped_log import parse_mapping, read_mapped
from simulations.movielens import read_movielens
from simulations.replay_log import LogFormatError, TimeStretch
from tests.unit.simulations.movielens_files import START, write_100k, write_latest

MAPPING = "user=uid,content=item,time=ts,engaged=stars>=4,watch=secs,category=genre,tags=tags,duration=length"


def own_log(folder: Path, kind: str) -> Path:
    frame = pd.DataFrame(
        {
            "uid": [1, 2, 1],
            "item": ["a", "b", "b"],
            "ts": [1.6e12 + 2_000, 1.6e12, 1.6e12 + 1_000],
            "stars": [5, 2, 4],
            "secs": [12.5, 1.0, None],
            "genre": ["x", "y", "y"],
            "tags": ["p|q", "", ""],
            "length": [20, 30, 30],
        }
    )
    path = folder / f"log.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "csv":
        frame.to_csv(path, index=False)
    else:
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
    return path


def test_both_layouts_of_movielens_hold_the_same_ratings(tmp_path: Path) -> None:
    old, new = read_movielens(write_100k(tmp_path / "old")), read_movielens(write_latest(tmp_path / "new"))
    pd.testing.assert_frame_equal(old.rows, new.rows)
    assert len(old) == 1_500
    assert 0.2 < old.rows["engaged"].mean() < 0.6
    assert old.contents["1"].metadata.description == "Caf\xe9 1 (1995)"
    assert new.contents["1"].metadata.description == "Film, The 1 (1995)"
    assert old.contents["1"].metadata.category == new.contents["1"].metadata.category


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
def test_a_log_of_ones_own_is_read_by_its_mapping(tmp_path: Path, kind: str) -> None:
    table = read_mapped(own_log(tmp_path, kind), parse_mapping(MAPPING))
    assert table.rows["time"].tolist() == [1.6e9, 1.6e9 + 1, 1.6e9 + 2]
    assert table.rows["user_id"].tolist() == ["2", "1", "1"]
    assert table.rows["engaged"].tolist() == [False, True, True]
    assert table.rows["watch_seconds"].tolist() == [1.0, 0.0, 12.5]
    assert table.contents["a"].metadata.tags == ("p", "q")
    assert table.contents["b"].metadata.duration == 30
    assert table.contents["b"].upload_timestamp == 1.6e9


def test_iso_times_and_words_for_true_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("u,c,t,ok\nada,x,2026-01-01T00:00:00Z,Yes\nada,y,2026-01-01T00:00:10Z,no\n")
    table = read_mapped(path, parse_mapping("user=u,content=c,time=t,engaged=ok"))
    assert table.rows["time"].tolist() == [1_767_225_600.0, 1_767_225_610.0]
    assert table.rows["engaged"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [("user=u", "lacks content"), ("usr=u", "names are"), ("user=u,content=c,time=t,engaged=z", "'z'")],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, mapping: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text("u,c,t,ok\nada,x,2026-01-01,Yes\n")
    with pytest.raises(LogFormatError, match=message):
        read_mapped(path, parse_mapping(mapping))


def test_a_window_has_a_message_for_every_partition_and_outcomes_follow_what_one_instant_showed(
    tmp_path: Path,
) -> None:
    table = read_movielens(write_100k(tmp_path))
    log = TableLog(table, window_rows=100, max_rows=450)
    windows = list(log.windows())
    assert sum(window.num_rows for window in windows) == len(log) == 450
    for window in windows:
        assert [partition for partition, _ in window.messages] == list(range(16))
        assert all(message.log_time == window.last_time for _, message in window.messages)
        for _, message in window.messages:
            shown: dict[str, float] = {}
            for kind, record in message.records:
                if kind == "impression":
                    shown[record["request_id"]] = record["timestamp"]
                else:
                    assert shown[record["request_id"]] == record["timestamp"]


def test_a_stretch_holds_the_rows_of_its_time_and_no_others(tmp_path: Path) -> None:
    log = TableLog(read_movielens(write_100k(tmp_path)), window_rows=64)
    start, end = START + 5 * 86_400, START + 9 * 86_400
    stretch = TimeStretch(log, start, end)
    times = [
        record["timestamp"]
        for window in stretch.windows()
        for _, message in window.messages
        for kind, record in message.records
        if kind == "impression"
    ]
    expected = log.table.rows["time"].between(start, end, inclusive="left").sum()
    assert len(times) == len(stretch) == expected > 50
    assert start <= min(times) <= max(times) < end


def test_files_are_checked_and_what_is_missing_is_said(tmp_path: Path) -> None:
    report = run_datasets_command("movielens", write_100k(tmp_path / "full"))
    assert report["ok"]
    assert report["rows"] == 1_500
    assert report["first"].startswith("1997-11-")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "u.data").write_text("1\t2\t3\t4\n")
    with pytest.raises(DatasetError, match=r"lacks u\.item"):
        run_datasets_command("movielens", tmp_path / "half")
    with pytest.raises(DatasetError, match="known are"):
        run_datasets_command("netflix", tmp_path)


def test_every_data_set_says_where_it_is_and_under_which_licence() -> None:
    report = run_datasets_command()
    assert set(report) == set(SOURCES) >= {"kuairand", "movielens", "file", "recording"}
    assert "CC BY-SA 4.0" in report["kuairand"]
    assert "grouplens.org" in report["movielens"]
    assert all("Licence" in line for line in report.values())


def test_a_log_is_opened_by_its_name(tmp_path: Path) -> None:
    log = open_log("file", own_log(tmp_path, "csv"), mapping=MAPPING, end=1.6e9 + 1.5)
    assert len(log) == 2
    with pytest.raises(LogFormatError, match="--mapping"):
        open_log("file", tmp_path / "log.csv")


def test_moments_are_read() -> None:
    assert moment_of("2022-04-25") == moment_of("1650844800") == moment_of("1650844800000") == 1_650_844_800
    with pytest.raises(DatasetError):
        moment_of("yesterday")
