"""Reading KuaiRand's official layout: tiny files, every rule."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from messages.events import parse_event
from messages.feed import FeedMessage
from messages.identifiers import key_of, partition_of
from messages.impressions import Impression
from simulations.kuairand import KuaiRandFormatError, KuaiRandLog

LOG_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)
VIDEO_HEADER = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,"
    "server_height,music_id,music_type,tag"
)
VIDEOS = (
    "10,900,NORMAL,2022-04-10,LongImport,0.0,20000.0,720.0,1280.0,555,9.0,39",
    '11,901,NORMAL,2022-04-09,Kmovie,0.0,,720.0,1280.0,0,,"20,43"',
    "12,902,NORMAL,2022-04-11,Kmovie,0.0,9000.0,720.0,1280.0,556,9.0,",
)
START = 1_650_000_000_000


def row(
    user: int, video: int, offset: int, *, flags: str = "0,0,0,0,0,0,0", play: int = 0, duration: int = 20_000
) -> str:
    """flags: is_click, is_like, is_follow, is_comment, is_forward, is_hate, long_view."""
    return f"{user},{video},20220425,0,{START + offset},{flags},{play},{duration},0,0,0,0,1"


ROWS = (
    row(1, 10, 5_000, flags="1,1,1,0,0,0,1", play=21_500),
    row(2, 11, 1_000, flags="0,0,0,0,0,0,0", play=800),
    row(1, 12, 3_000, flags="1,0,0,1,1,1,0", play=4_000, duration=0),
    row(2, 11, 1_000, flags="0,0,0,0,0,0,0", play=800),
    row(3, 99, 5_000, flags="1,0,1,0,0,0,0", play=100_000_000),
)


def write(folder: Path, rows: tuple[str, ...] = ROWS, *, header: str = LOG_HEADER) -> Path:
    (folder / "log_standard_4_22_to_5_08_pure.csv").write_text("\n".join([header, *rows]) + "\n")
    with gzip.open(folder / "video_features_basic_pure.csv.gz", "wt") as file:
        file.write("\n".join([VIDEO_HEADER, *VIDEOS]) + "\n")
    return folder


def records_of(log: KuaiRandLog) -> list[tuple[str, dict]]:
    return [
        record for window in log.windows() for _, message in window.messages for record in message.records
    ]


def events_of(log: KuaiRandLog, user_id: str) -> list[dict]:
    return [record for kind, record in records_of(log) if kind == "event" and record["user_id"] == user_id]


def test_exact_duplicates_are_dropped_and_rows_sorted_by_time(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path), num_partitions=1)
    assert len(log) == 4
    assert log.num_duplicates == 1
    times = [record["timestamp"] for kind, record in records_of(log) if kind == "impression"]
    assert times == sorted(times)
    assert times[0] == (START + 1_000) / 1000


def test_a_row_becomes_an_impression_and_its_events(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path), num_partitions=1)
    impressions = {
        record["request_id"]: Impression.from_wire(record)
        for kind, record in records_of(log)
        if kind == "impression"
    }
    events = events_of(log, "1")
    assert [event["event_type"] for event in events] == [
        "view",
        "comment",
        "share",
        "hide",
        "view",
        "like",
        "follow",
    ]
    view = events[4]
    assert (view["watch_duration"], view["long_view"]) == (21.5, True)
    assert events[6]["creator_id"] == "900"
    shown = impressions[view["request_id"]]
    assert shown.features is None
    assert shown.context.surface == "1"
    assert shown.contents.content_ids == ["10"]
    assert shown.contents.categories == ["39"]
    assert shown.contents.creator_ids == ["900"]
    assert shown.contents.durations[0] == 20.0
    assert shown.contents.audio_keys[0] == key_of("555")
    assert events_of(log, "2")[0]["event_type"] == "skip"


def test_several_tags_the_first_of_which_is_the_category(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path), num_partitions=1)
    shown = [
        Impression.from_wire(record).contents for kind, record in records_of(log) if kind == "impression"
    ]
    by_content = {contents.content_ids[0]: contents for contents in shown}
    assert by_content["11"].categories == ["20"]
    assert list(by_content["11"].tags.values) == [key_of("20"), key_of("43")]
    assert by_content["11"].audio_keys[0] == 0
    assert by_content["12"].categories == [""]
    assert not by_content["12"].durations[0] > 0  # 0 milliseconds mean that nobody knows


def test_a_video_without_features_is_shown_but_nobody_can_be_followed_for_it(tmp_path: Path) -> None:
    events = events_of(KuaiRandLog(write(tmp_path), num_partitions=1), "3")
    assert [event["event_type"] for event in events] == ["view"]
    assert events[0]["watch_duration"] == 86_400.0
    uploaded = [
        Impression.from_wire(record).contents.upload_times[0]
        for kind, record in records_of(KuaiRandLog(tmp_path, num_partitions=1))
        if kind == "impression"
    ]
    assert np.isfinite(uploaded).all()


def test_every_event_keeps_the_contract_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path))
    events = [record for kind, record in records_of(log) if kind == "event"]
    for event in events:
        assert parse_event(event).items() >= event.items()
    assert len({event["event_id"] for event in events}) == len(events)
    again = [record for kind, record in records_of(KuaiRandLog(tmp_path)) if kind == "event"]
    assert again == events


def test_every_window_moves_the_clock_of_every_partition(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path), num_partitions=4, window_rows=1)
    windows = list(log.windows())
    assert [window.num_rows for window in windows] == [1, 1, 2]  # the last two share an instant
    for window in windows:
        assert [partition for partition, _ in window.messages] == [0, 1, 2, 3]
        assert {message.log_time for _, message in window.messages} == {window.last_time}
        for partition, message in window.messages:
            assert FeedMessage.decode(message.encode()).log_time == window.last_time
            for _, record in message.records:
                assert partition_of(record["user_id"], 4) == partition
    assert [window.last_time for window in windows] == sorted({window.last_time for window in windows})


def test_what_was_shown_in_one_instant_comes_before_what_came_of_it(tmp_path: Path) -> None:
    page = (row(7, 10, 0, flags="1,0,0,0,0,0,1", play=9_000), row(7, 11, 0), row(7, 12, 1, play=1))
    log = KuaiRandLog(write(tmp_path, page), num_partitions=1)
    kinds = [kind for kind, _ in records_of(log)]
    assert kinds == ["impression", "impression", "event", "event", "impression", "event"]


def test_only_the_first_rows_when_asked(tmp_path: Path) -> None:
    log = KuaiRandLog(write(tmp_path), num_partitions=1, max_rows=2)
    assert len(log) == 2
    assert sum(window.num_rows for window in log.windows()) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KuaiRandFormatError, match=r"holds no log_standard\*\.csv"):
        KuaiRandLog(tmp_path)
    (write(tmp_path) / "video_features_basic_pure.csv.gz").unlink()
    with pytest.raises(KuaiRandFormatError, match="video_features_basic"):
        KuaiRandLog(tmp_path)


def test_files_of_several_variants_are_not_mixed(tmp_path: Path) -> None:
    log = write(tmp_path) / "log_standard_4_22_to_5_08_pure.csv"
    log.with_name("log_standard_4_22_to_5_08_1k.csv").write_text(log.read_text())
    with pytest.raises(KuaiRandFormatError, match="several variants: 1k, pure"):
        KuaiRandLog(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, header=LOG_HEADER.replace("is_hate", "is_loved"))
    with pytest.raises(KuaiRandFormatError, match="lacks the columns is_hate"):
        KuaiRandLog(tmp_path)


def test_user_features_are_the_profile_without_what_the_period_itself_told(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert all(
        Impression.from_wire(record).profile is None
        for kind, record in records_of(KuaiRandLog(folder))
        if kind == "impression"
    )
    (folder / "user_features_pure.csv").write_text(
        "user_id,user_active_degree,is_video_author,onehot_feat0,onehot_feat4\n1,full_active,1,0,\n2,low,0,1,3.0\n"
    )
    profiles = {
        record["user_id"]: Impression.from_wire(record).profile
        for kind, record in records_of(KuaiRandLog(folder))
        if kind == "impression"
    }
    assert profiles == {
        "1": {"is_video_author": "1", "onehot_feat0": "0"},
        "2": {"is_video_author": "0", "onehot_feat0": "1", "onehot_feat4": "3.0"},
        "3": None,
    }
