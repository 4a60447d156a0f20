"""A load in steps: the knee is where more people bring no more, and locust's table is read as it is."""

import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from foryou.load_command import LoadError, run_load_command
from messages.events import parse_events
from simulations.load_behaviour import events_of
from simulations.load_plot import save_load_plot, save_soak_plot
from simulations.load_steps import (
    LoadFailedError,
    LoadMoment,
    LoadSettings,
    LoadStep,
    find_knee,
    read_moments,
    read_step,
)

HEADER = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,"
    "99.99%,100%"
)


def step_of(people: int, capacity: float = 100.0, failures: float = 0.0) -> LoadStep:
    """What a queue that serves `capacity` requests a second does with people who ask once a second."""
    rate = min(people, capacity)
    wait = 5.0 if people < capacity else 1_000.0 * (people - capacity) / capacity + 300.0
    return LoadStep(people, rate, rate / 2, wait, 2 * wait, 3 * wait, wait, failures)


def test_the_knee_is_the_last_step_that_kept_up_and_two_bad_ones_end_the_run() -> None:
    told: list[int] = []
    steps, knee = find_knee(
        step_of, LoadSettings(people=(10, 20, 40, 80, 160, 320, 640)), lambda step: told.append(step.people)
    )
    assert knee is not None
    assert knee.people == 80
    assert [step.people for step in steps] == told == [10, 20, 40, 80, 160, 320]


def test_failures_are_no_throughput() -> None:
    _, knee = find_knee(lambda people: step_of(people, failures=0.2), LoadSettings(people=(10, 20, 40)))
    assert knee is None


def test_locusts_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "step_stats.csv"
    feed = "GET,GET /v1/feed,100,0,5,6,1,30,900,50.0,0,5,6,7,8,9,12,15,20,30,30,30"
    events = "POST,POST /v1/events,100,1,3,3,1,9,50,49.5,0,3,3,3,3,4,6,7,8,9,9,9"
    total = ",Aggregated,200,1,4,5,1,30,400,99.5,0.1,4,5,6,7,8,11,14,19,30,30,30"
    path.write_text("\n".join([HEADER, feed, events, total]) + "\n")
    assert read_step(path, 7) == LoadStep(7, 99.5, 50.0, 5.0, 12.0, 20.0, 6.0, 0.005)
    path.write_text(HEADER + "\n,Aggregated,0,0,0,0,0,0,0,0,0,N/A\n")
    with pytest.raises(LoadFailedError):
        read_step(path, 7)


def test_locusts_history_is_read_from_its_first_answer_on(tmp_path: Path) -> None:
    path = tmp_path / "step_stats_history.csv"
    path.write_text(
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,95%\n"
        "999,1,GET,GET /v1/feed,0.0,0.0,N/A,N/A\n"
        "1000,1,GET,GET /v1/feed,0.0,0.0,0,0\n"
        "1001,2,GET,GET /v1/feed,4.0,0.0,5,9\n"
        "1001,2,,Aggregated,8.0,0.0,4,8\n"
        "1003,2,GET,GET /v1/feed,6.0,0.5,7,20\n"
    )
    moments = read_moments(path)
    assert moments == [LoadMoment(0.0, 4.0, 0.0, 5.0, 9.0), LoadMoment(2.0, 6.0, 0.5, 7.0, 20.0)]
    assert save_soak_plot(tmp_path / "soak.png", moments, "Soak").stat().st_size > 10_000


def test_the_picture_is_written(tmp_path: Path) -> None:
    steps, knee = find_knee(step_of, LoadSettings(people=(10, 20, 40, 80, 160, 320)))
    assert save_load_plot(tmp_path / "load.png", steps, knee, "Load").stat().st_size > 10_000


def test_what_loaded_people_send_is_valid() -> None:
    feed = {"request_id": "r", "items": [{"content_id": f"c{number}"} for number in range(50)]}
    events = [event for seed in range(20) for event in events_of(feed, "ada", 1.7e9, random.Random(seed))]
    accepted, refused = parse_events(list(events))
    assert not refused
    assert {event["event_type"] for event in accepted} == {"view", "complete_view", "skip", "like", "hide"}


def test_soaking_takes_one_number_of_people(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="--soak"):
        run_load_command("http://127.0.0.1:9", people="1,2", soak=True, report=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": "few"}, "--people few"),
        ({"people": "1", "seconds": 0.5}, "--seconds 0.5: seconds: Input should be greater"),
        ({"people": "1"}, "nobody answers at http://127.0.0.1:9"),
    ],
)
def test_what_cannot_be_loaded_is_said_before_anything_runs(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        run_load_command("http://127.0.0.1:9", report=tmp_path / "report", **options)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(("status", "message"), [(401, "asks for a key"), (404, "is no foryou")])
def test_a_server_that_would_refuse_all_of_it_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(status))
    with pytest.raises(LoadError, match=message):
        run_load_command("http://somewhere", people="1", report=tmp_path)


def test_the_first_question_shows_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_url: str, *, headers: dict[str, str], timeout: float) -> httpx.Response:
        return httpx.Response(404 if headers == {"X-API-Key": "a-key-of-theirs"} else 401)

    monkeypatch.setattr(httpx, "get", refuse)
    with pytest.raises(LoadError, match="is no foryou"):
        run_load_command("http://somewhere", people="1", report=tmp_path, key="a-key-of-theirs")
