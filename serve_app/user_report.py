"""What is known of a person, in words: profile, what they prefer, what they watched, their sessions."""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.decayed_rates import DecayedRates, RatesByKey
from learners.user_state import DEFAULT_SETTINGS, UserState
from messages.arrays import IdArray
from messages.stored_user import StoredUser
from serve_app.model_replica import ModelReplica
from serve_app.recent_contents import RecentContents

_HALF_LIFE = DEFAULT_SETTINGS.half_life_seconds


def user_report(user_id: str, stored: StoredUser, replica: ModelReplica, now: float) -> dict[str, Any] | None:
    """Return plain facts, None for somebody never heard of.

    Events leave keys (hashes) behind; names are those of the contents that this replica serves, and what it
    no longer serves is named null.
    """
    if stored.state is None and stored.profile is None:
        return None
    state = UserState.empty(user_id) if stored.state is None else UserState.from_bytes(stored.state)
    contents = replica.state.contents
    return {
        "user_id": user_id,
        **(stored.profile or {}),
        "preference_weights": {
            "categories": _preferences(
                state.categories, replica.state.by_category, contents.category_keys, replica, now
            ),
            "creators": _preferences(
                state.creators, replica.state.by_creator, contents.creator_keys, replica, now
            ),
        },
        "history": [
            {"content_id": name, "engaged": engaged}
            for name, engaged in zip(
                _content_ids(state.history, replica), state.history_engaged.tolist(), strict=True
            )
        ][::-1],
        "sessions": {
            "count": state.num_sessions,
            "average_seconds": round(state.average_session_seconds, 3),
            "average_contents": round(state.average_session_contents, 3),
            "last": {
                "started": state.session_started or None,
                "last_event_time": state.last_event_time or None,
                "contents": state.session_contents,
            },
        },
        "activity": {
            "contents_watched": state.num_contents,
            "sessions": state.num_sessions,
            "average_session_seconds": round(state.average_session_seconds, 3),
            "last_event_time": state.last_event_time or None,
            "liked": len(state.liked),
            "creators_followed": len(state.followed_creators),
            "contents_hidden": len(state.hidden_contents),
            "creators_blocked": len(state.blocked_creators),
            "served": len(stored.served),
        },
    }


def _preferences(
    rates: RatesByKey, recent: RecentContents, key_column: IdArray, replica: ModelReplica, now: float
) -> list[dict[str, Any]]:
    """Return weight and watchings by name, both as they have faded until now, the highest weight first."""
    names = "categories" if recent is replica.state.by_category else "creator_ids"
    entries = []
    for key, row in rates.rows():
        of_key = DecayedRates(*row)
        fade = 2.0 ** (min(of_key.last_time - now, 0.0) / _HALF_LIFE)
        rows = recent.rows_of(key, key_column)[:1]
        name = getattr(replica.contents(rows), names)[0] if len(rows) else None
        entries.append(
            {
                "name": name,
                "weight": round(of_key.preference * fade, 6),
                "watched": round(of_key.terminals * fade, 6),
                "engaged": round(of_key.engaged * fade, 6),
            }
        )
    return sorted(entries, key=lambda entry: -entry["weight"])


def _content_ids(keys: IdArray, replica: ModelReplica) -> list[str | None]:
    rows = replica.state.contents.find(keys)
    names: list[str | None] = [None] * len(rows)
    known = np.flatnonzero(rows >= 0)
    for place, name in zip(known.tolist(), replica.contents(rows[known]).content_ids, strict=True):
        names[place] = name
    return names
