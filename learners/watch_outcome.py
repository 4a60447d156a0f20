"""What the end of one watching says: engaged or not, long or not, to the end or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

LONG_VIEW_SECONDS = 18.0
"""A view this long is a long one, or one of the whole content where that is shorter (as KuaiRand has it)."""

COMPLETE_FRACTION = 0.95
"""A view of this much of the content is a complete one: players stop counting a little before the end."""


class ContentTraits(NamedTuple):
    """What the impression says about the content of an event: keys (MISSING_KEY if unknown) and seconds (NaN
    if unknown)."""

    content_key: int
    creator_key: int
    category_key: int
    duration: float


class WatchOutcome(NamedTuple):
    engaged: bool
    long_view: bool
    complete: bool


def watch_outcome(event: Mapping[str, Any], duration: float) -> WatchOutcome:
    """Judge a terminal event (view, complete_view, skip) of a content of `duration` seconds, NaN if unknown.

    The event's own `long_view` goes before the rule. A duration of 0 is no duration (logs have such rows).
    """
    event_type = event["event_type"]
    watched = event.get("watch_duration")
    complete = event_type == "complete_view" or (
        event_type == "view" and watched is not None and 0 < COMPLETE_FRACTION * duration <= watched
    )
    long_view = event.get("long_view")
    if long_view is None:
        enough = duration if 0 < duration < LONG_VIEW_SECONDS else LONG_VIEW_SECONDS
        long_view = event_type == "complete_view" or (watched is not None and watched >= enough)
    return WatchOutcome(event_type != "skip", long_view, complete)


def judged_watching(event: dict[str, Any], duration: float) -> tuple[dict[str, Any], WatchOutcome]:
    """Return a terminal event with the seconds that it leaves out filled in where they can be told, and its
    outcome: a skip without a time is none watched, a complete view all `duration` of the content."""
    outcome = watch_outcome(event, duration)
    if "watch_duration" not in event:
        if event["event_type"] == "skip":
            event = {**event, "watch_duration": 0.0}
        elif event["event_type"] == "complete_view" and duration > 0:
            event = {**event, "watch_duration": duration}
    return event, outcome
