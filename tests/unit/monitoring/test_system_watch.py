from __future__ import annotations

import math

from monitoring.alert_rules import AlertRule, AlertState
from monitoring.default_alerts import SYSTEM_HEALTH
from monitoring.system_watch import StreamCounts, SystemWatch


def test_rates_are_of_the_time_between_two_looks() -> None:
    watch = SystemWatch(SYSTEM_HEALTH)
    watch.look(100.0, StreamCounts(events=1_000, joined=900, dead_letters=7))
    assert all(math.isnan(value) for value in watch.values.values()), "there is nothing to compare with yet"
    watch.add_freshness([0.1] * 99 + [3.0])
    watch.look(102.0, StreamCounts(events=1_200, joined=1_050, dead_letters=8))
    assert watch.values == {
        "freshness_p95_seconds": 0.1,
        "join_rate": 0.75,
        "events_per_second": 100.0,
        "dead_letters_per_second": 0.5,
    }


def test_a_backlog_says_nothing_of_the_pace_of_people() -> None:
    watch = SystemWatch(SYSTEM_HEALTH)
    watch.look(0.0, StreamCounts(0, 0, 0, is_live=False))
    watch.look(2.0, StreamCounts(100_000, 100_000, 0))
    assert math.isnan(watch.values["events_per_second"])
    watch.look(4.0, StreamCounts(100_100, 100_100, 0))
    assert watch.values["events_per_second"] == 50.0


def test_where_nothing_happens_nothing_is_joined_badly() -> None:
    watch = SystemWatch(SYSTEM_HEALTH)
    for second in range(700):
        assert watch.look(float(second), StreamCounts(5, 5, 0)) == []


def test_every_default_rule_fires_on_what_it_is_there_for() -> None:
    watch = SystemWatch(SYSTEM_HEALTH)
    fired: set[str] = set()
    events = joined = dead = 0
    for second in range(3_000):
        events += 1 if second > 1_500 else 100
        joined += 100 if second < 1_000 else 0
        dead += 2 if second > 1_000 else 0
        watch.add_freshness([9.0 if second > 1_000 else 0.2])
        changes = watch.look(float(second), StreamCounts(events, joined, dead))
        assert second > 1_000 or not changes
        fired |= {change.rule.name for change in changes if change.state is AlertState.FIRING}
    assert fired == {rule.name for rule in SYSTEM_HEALTH}


def test_rules_may_be_others() -> None:
    rule = AlertRule(name="busy", metric="events_per_second", window_seconds=5, threshold=10)
    watch = SystemWatch((rule,))
    watch.look(0.0, StreamCounts(0, 0, 0))
    (change,) = watch.look(1.0, StreamCounts(50, 50, 0))
    assert change.words().startswith("busy: mean of events_per_second over 5 s is 50")
