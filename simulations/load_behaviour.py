"""What a person under load does with a slate; apart from `locustfile.py`, whose import patches sockets."""

from __future__ import annotations

import random
from typing import Any

_VIEWED, _COMPLETE, _LIKED, _HIDDEN = 0.5, 0.35, 0.06, 0.01


def events_of(feed: dict[str, Any], user_id: str, now: float, draws: random.Random) -> list[dict[str, Any]]:
    """Return what a person does with a slate, in order."""
    events: list[dict[str, Any]] = []
    for item in feed["items"]:
        about = {
            "user_id": user_id,
            "content_id": item["content_id"],
            "request_id": feed["request_id"],
            "timestamp": now,
        }
        luck = draws.random()
        if luck < _VIEWED:
            kind = "complete_view" if draws.random() < _COMPLETE else "view"
            events.append({"event_type": kind, **about, "watch_duration": round(draws.uniform(2, 40), 1)})
            if draws.random() < _LIKED / _VIEWED:
                events.append({"event_type": "like", **about})
        else:
            events.append({"event_type": "skip", **about, "watch_duration": round(draws.uniform(0, 2), 1)})
            if draws.random() < _HIDDEN:
                events.append({"event_type": "hide", **about})
    return events
