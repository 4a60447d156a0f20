import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.codec import MalformedMessageError
from messages.examples import HEAD_INDEX, ExampleBatch, LabelKind
from messages.features import FeatureBatch
from messages.identifiers import key_of
from monitoring.counted_messages import NumberedBatch
from monitoring.event_rows import CHANCE_UNIT, bag_group_reader, log_age_reader
from monitoring.kpi_report import DayReport, date_of, day_of, day_report, retention
from monitoring.kpis import Kpis, KpiSettings
from tests.unit.monitoring.event_log import START, LoggedEvent, content_ages, message_of, random_log

SETTINGS = KpiSettings(
    user_groups=("age_group=even", "age_group=odd", "location=here"), categories=("cats", "dogs")
)
GROUPS = bag_group_reader("traits", np.array([100, 101, 200], dtype=np.uint64))
FIRST_DAY = day_of(START)
PARTITIONS = 3
POSITIVE = (LabelKind.OBSERVED_POSITIVE, LabelKind.EARLY_POSITIVE, LabelKind.LATE_POSITIVE)


def reference(log: list[LoggedEvent], day: int, known_creators: set[int]) -> DayReport:
    """Every KPI by its definition, slowly."""
    today = [event for event in log if event.time // 86_400 == day]
    closing = [
        event for event in today
        if event.labels[HEAD_INDEX["engage"]] in (LabelKind.OBSERVED_NEGATIVE, LabelKind.OBSERVED_POSITIVE)
    ]  # fmt: skip

    def positives(*heads: str) -> int:
        return sum(event.labels[HEAD_INDEX[head]] in POSITIVE for event in today for head in heads)

    def ratio(top: float, bottom: float) -> float:
        return top / bottom if bottom else math.nan

    sessions = []
    for user in {event.user for event in log}:
        times = sorted(event.time for event in log if event.user == user)
        runs = [[times[0]]]
        for time in times[1:]:
            if time - runs[-1][-1] > 1800:
                runs.append([])
            runs[-1].append(time)
        sessions += [run[-1] - run[0] for run in runs if run[0] // 86_400 == day]
    users = {event.user for event in today}
    shown = Counter(event.creator for event in closing if event.creator)
    counts = sorted([shown[creator] for creator in known_creators])
    pairs = sum(abs(a - b) for a in counts for b in counts)
    categories = Counter(event.category for event in closing)
    shares = [number / len(closing) for number in categories.values()]
    asked = [event for event in closing if 0 <= event.chance <= 1]
    engaged = sum(event.labels[HEAD_INDEX["engage"]] == LabelKind.OBSERVED_POSITIVE for event in asked)
    ages = [math.floor(event.age) for event in closing if not math.isnan(event.age)]
    return DayReport(
        daily_active_users=len(users),
        events=len(today),
        impressions=len(closing),
        sessions=len(sessions),
        sessions_per_user=ratio(len(sessions), len(users)),
        session_length=ratio(sum(sessions), len(sessions)),
        time_spent=ratio(sum(round(event.watch * 1000) for event in today) / 1000, len(users)),
        click_through_rate=ratio(positives("engage"), len(closing)),
        engagement_rate=ratio(positives("like", "comment", "share", "follow", "save"), positives("engage")),
        completion_rate=ratio(positives("complete"), len(closing)),
        long_view_rate=ratio(positives("long_view"), len(closing)),
        negative_rate=ratio(positives("negative"), len(closing)),
        creators_shown=len(shown),
        creator_gini=ratio(pairs, 2 * len(counts) * sum(counts)),
        creator_coverage=ratio(len(shown), len(counts)),
        effective_categories=math.exp(-sum(s * math.log(s) for s in shares)) if shares else math.nan,
        fresh_share=ratio(sum(age <= 86_400 for age in ages), len(ages)),
        content_age=ratio(sum(ages), len(ages)),
        calibration=ratio(sum(round(event.chance * CHANCE_UNIT) for event in asked) / CHANCE_UNIT, engaged),
    )


def segments_of(event: LoggedEvent) -> list[str]:
    """An orphan belongs to none: it came without the features that tell of its person."""
    if event.arm is None:
        return []
    names = [f"arm:{event.arm}", f"model:{event.model}"]
    names.append("group:age_group=odd" if event.user % 2 else "group:age_group=even")
    names += [f"category:{name}" for name in SETTINGS.categories if event.category == key_of(name)]
    return names + ["group:location=here"] * (event.user % 3 == 0)


def messages_of(log: list[LoggedEvent], seed: int) -> list[tuple[int, int, ExampleBatch]]:
    """Cut a log into messages of partitions, (partition, position, batch), in some order of arrival."""
    generator = np.random.default_rng(seed)
    queues = []
    for partition in range(PARTITIONS):
        own = [event for event in log if event.user % PARTITIONS == partition]
        cuts = sorted(generator.integers(0, len(own) + 1, size=3).tolist())
        pieces = [own[start:end] for start, end in zip([0, *cuts], [*cuts, len(own)], strict=True)]
        uploads = (7 + partition,)
        queues.append(
            [
                (partition, 1 + place, message_of(piece, uploads if place == 0 else ()))
                for place, piece in enumerate(pieces)
            ]
        )
    arrived = []
    while any(queues):
        waiting = [queue for queue in queues if queue]
        arrived.append(waiting[generator.integers(len(waiting))].pop(0))
    return arrived


def counted(messages: list[tuple[int, int, ExampleBatch]]) -> Kpis:
    kpis = Kpis(SETTINGS, content_ages, GROUPS)
    for partition, position, batch in messages:
        kpis.add(batch, partition=partition, position=position)
    return kpis


def close(report: DayReport) -> object:
    return pytest.approx(report.as_dict(), nan_ok=True)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 150))
def test_equal_the_slow_plain_reference(seed: int, n: int) -> None:
    log = random_log(seed, n)
    kpis = counted(messages_of(log, seed))
    segments: dict[str, list[LoggedEvent]] = {"all": log}
    for event in log:
        for name in segments_of(event):
            segments.setdefault(name, []).append(event)
    known = {event.creator for event in log if event.creator} | {7, 8, 9}
    assert kpis.creators == known
    assert set(kpis.segments) == set(segments) - ({"all"} if not log else set())
    for name, own in segments.items():
        for day in range(FIRST_DAY, FIRST_DAY + 5):
            assert day_report(kpis, day, name).as_dict() == close(reference(own, day, known))
            for after in (1, 2):
                base, later = (
                    {event.user for event in own if event.time // 86_400 == moment}
                    for moment in (day, day + after)
                )
                expected = len(base & later) / len(base) if base else math.nan
                assert retention(kpis, day, after, name) == pytest.approx(expected, nan_ok=True)


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(0, 120), crash=st.integers(0, 12), back=st.integers(0, 4)
)
def test_are_the_same_after_a_crash(seed: int, n: int, crash: int, back: int) -> None:
    messages = messages_of(random_log(seed, n), seed)
    stored = counted(messages[:crash]).to_parts()
    restored = Kpis.from_parts(stored, SETTINGS, content_ages, GROUPS)
    assert restored.to_parts() == stored
    for partition, position, batch in messages[max(crash - back, 0) :]:  # some are read again
        restored.add(batch, partition=partition, position=position)
    assert restored.to_parts() == counted(messages).to_parts()


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 120))
def test_do_not_depend_on_how_messages_are_cut_and_interleaved(seed: int, n: int) -> None:
    log = random_log(seed, n)
    first, second = counted(messages_of(log, seed)).to_parts(), counted(messages_of(log, seed + 1)).to_parts()
    assert first == second


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 120), size=st.integers(1, 8), back=st.integers(0, 4))
def test_are_the_same_however_many_messages_are_counted_at_once(
    seed: int, n: int, size: int, back: int
) -> None:
    messages = messages_of(random_log(seed, n), seed)
    kpis = Kpis(SETTINGS, content_ages, GROUPS)
    for start in range(0, len(messages), size):
        read = messages[max(start - back, 0) : start + size]  # some are read again
        kpis.add_all([NumberedBatch(batch, partition, position) for partition, position, batch in read])
    assert kpis.to_parts() == counted(messages).to_parts()


def test_settling_changes_nothing_while_no_event_is_too_late() -> None:
    log = sorted(random_log(5, 80), key=lambda event: event.time)
    plain, settled = Kpis(SETTINGS, content_ages), Kpis(SETTINGS, content_ages)
    for position, event in enumerate(log, start=1):
        for kpis in (plain, settled):
            kpis.add(message_of([event]), partition=0, position=position)
        settled.settle(event.time)
    for day in range(FIRST_DAY, FIRST_DAY + 4):
        assert day_report(settled, day).as_dict() == close(day_report(plain, day))
    assert settled.num_too_late == 0
    sessions = [part for part in settled.to_parts() if part.startswith("sessions/all")]
    assert len(settled.to_parts()[sessions[0]]) < len(plain.to_parts()[sessions[0]])


def test_count_what_comes_after_settling_as_too_late() -> None:
    event = random_log(1, 1)[0]
    kpis = Kpis(SETTINGS)
    kpis.settle(event.time + 1)
    kpis.add(message_of([event]), partition=0, position=1)
    assert kpis.num_too_late == 1
    assert kpis.segments == {}
    assert Kpis.from_parts(kpis.to_parts(), SETTINGS).num_too_late == 1


def test_forget_old_days() -> None:
    kpis = counted(messages_of(random_log(2, 300), 2))
    kpis.settle(START + (SETTINGS.keep_days + 2) * 86_400)
    assert min(kpis.segments["all"].days) == FIRST_DAY + 2
    assert day_report(kpis, FIRST_DAY).daily_active_users == 0
    assert day_report(kpis, FIRST_DAY).sessions == 0


def test_a_session_that_never_ends_outlives_the_day_it_began_on() -> None:
    event = replace(random_log(0, 1)[0], user=1)
    kpis = Kpis(KpiSettings(keep_days=1))
    for place in range(4 * 58):
        moment = START + 1_500.0 * place
        kpis.add(message_of([replace(event, time=moment)]), partition=0, position=1 + place)
        kpis.settle(moment)
    assert kpis.num_too_late == 0
    assert [day_report(kpis, FIRST_DAY + day).sessions for day in range(4)] == [0, 0, 0, 0]
    assert Kpis.from_parts(kpis.to_parts(), kpis.settings).to_parts() == kpis.to_parts()


def test_of_a_day_without_events_are_zero_or_unknown() -> None:
    report = day_report(Kpis(SETTINGS), FIRST_DAY)
    assert report.daily_active_users == 0
    assert math.isnan(report.click_through_rate)
    assert math.isnan(retention(Kpis(SETTINGS), FIRST_DAY, 1))


def test_parts_of_something_else_are_refused() -> None:
    with pytest.raises(MalformedMessageError):
        Kpis.from_parts({"head": b"\x00"}, SETTINGS)


def test_days_have_dates() -> None:
    assert date_of(FIRST_DAY) == "2024-10-04"


def test_ages_are_read_off_their_logarithm() -> None:
    ages = np.array([0.0, 3_600.0, 86_400.0, 4e6])
    dense = np.zeros((4, 3), np.float32)
    dense[:, 1] = np.log1p(ages / 3600) / 6
    read = log_age_reader(1, 6.0, 3600.0)(FeatureBatch({}, {}, dense, None))
    np.testing.assert_allclose(read, ages, rtol=1e-4)
