"""The KPIs as people name them (specification, section 8), from the sums of a day.

An impression is one that a terminal event (view, complete_view, skip) closed: an answer that nobody heard of
again is none, since EXAMPLES holds what people did.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass

import numpy as np

from monitoring.day_kpis import DayKpis
from monitoring.event_rows import CHANCE_UNIT
from monitoring.exposure import coverage, effective_number, gini
from monitoring.kpis import ALL_SEGMENT, Kpis

ENGAGEMENTS = ("like", "comment", "share", "follow", "save")


@dataclass(frozen=True, slots=True)
class DayReport:
    """One day of one segment; NaN where there is nothing to divide by.

    daily_active_users: people with any event. time_spent: watch time of one active person, s. click_through_
    rate: of impressions, viewed rather than skipped. engagement_rate: likes, comments, shares, follows and
    saves by viewed impressions. completion_rate, long_view_rate, negative_rate (hides, reports): of
    impressions. creator_*: of impressions by creator; the Gini counts known creators that were not shown.
    effective_categories: as many equally frequent ones would be as diverse. fresh_share: of impressions with
    a known age. content_age: mean, s. session_length: first to last event, s. calibration: mean chance of an
    engagement that models served with by the share that engaged, of impressions whose chance is known: 1 is
    honest, 2 promises twice what comes.
    """

    daily_active_users: int
    events: int
    impressions: int
    sessions: int
    sessions_per_user: float
    session_length: float
    time_spent: float
    click_through_rate: float
    engagement_rate: float
    completion_rate: float
    long_view_rate: float
    negative_rate: float
    creators_shown: int
    creator_gini: float
    creator_coverage: float
    effective_categories: float
    fresh_share: float
    content_age: float
    calibration: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def day_report(kpis: Kpis, day: int, segment: str = ALL_SEGMENT) -> DayReport:
    """Report a day, in days since 1970; zeros and NaN for one without events."""
    log = kpis.segments.get(segment)
    sums = DayKpis() if log is None else log.days.get(day, DayKpis())
    sessions = 0 if log is None else log.sessions.number(day)
    session_seconds = 0.0 if log is None else log.sessions.seconds(day)
    users, impressions = len(sums.users), sums.impressions()
    viewed = sums.positives("engage")
    shown = np.array(list(sums.creators.values()), dtype=np.int64)
    known = len(kpis.creators)
    return DayReport(
        daily_active_users=users,
        events=int(sums.events.sum()),
        impressions=impressions,
        sessions=sessions,
        sessions_per_user=_ratio(sessions, users),
        session_length=_ratio(session_seconds, sessions),
        time_spent=_ratio(sums.watch_ms / 1000, users),
        click_through_rate=_ratio(viewed, impressions),
        engagement_rate=_ratio(sum(sums.positives(head) for head in ENGAGEMENTS), viewed),
        completion_rate=_ratio(sums.positives("complete"), impressions),
        long_view_rate=_ratio(sums.positives("long_view"), impressions),
        negative_rate=_ratio(sums.positives("negative"), impressions),
        creators_shown=len(shown),
        creator_gini=gini(shown, known),
        creator_coverage=coverage(len(shown), known),
        effective_categories=effective_number(np.array(list(sums.categories.values()), dtype=np.int64)),
        fresh_share=_ratio(sums.num_fresh, sums.ages_known),
        content_age=_ratio(sums.age_seconds, sums.ages_known),
        calibration=_ratio(sums.chance_units / CHANCE_UNIT, sums.num_engaged),
    )


def retention(kpis: Kpis, day: int, after: int, segment: str = ALL_SEGMENT) -> float:
    """Return D+n: of who was active on a day, the share active `after` days later; NaN if nobody was."""
    log = kpis.segments.get(segment)
    first = log.days.get(day) if log else None
    if log is None or first is None or not first.users:
        return float("nan")
    later = log.days.get(day + after)
    return len(first.users & later.users) / len(first.users) if later else 0.0


def day_of(time: float) -> int:
    """Return the day (UTC) of a moment in epoch seconds, in days since 1970."""
    return int(time // 86_400)


def date_of(day: int) -> str:
    """Return a day as 2026-11-24."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")
