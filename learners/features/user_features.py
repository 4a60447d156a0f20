"""The person and the moment: the columns that are equal beside every candidate of one request."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from learners.features.rates import log_odds_ratio
from learners.features.schema import (
    ENGAGE_PRIOR,
    LONG_VIEW_PRIOR,
    MAX_HISTORY,
    MAX_PREFERRED_CATEGORIES,
    MAX_TRAITS,
)
from learners.user_state import UserState
from learners.user_state_settings import DEFAULT_SETTINGS
from messages.arrays import FloatArray, IdArray
from messages.content import language_name
from messages.identifiers import key_of
from messages.impressions import RequestContext

_DAY = 86_400.0
_PLAIN_TYPES = (str, int, float)
_STRENGTH = 3.0
"""A person's own rates are believed after this many watchings: they differ more than contents do."""


def user_dense_features(state: UserState, context: RequestContext, now: float) -> FloatArray:
    """Compute the columns of USER_DENSE_FEATURES, float32 [NUM_USER_DENSE]. now: epoch seconds."""
    return np.array(user_dense_values(state, context, now), dtype=np.float32)


def user_dense_values(state: UserState, context: RequestContext, now: float) -> list[float]:
    """Compute the columns of USER_DENSE_FEATURES in plain Python, before they are rounded to float32."""
    overall, recent = state.overall, state.recent
    fade = 2.0 ** (-max(now - recent.last_time, 0.0) / DEFAULT_SETTINGS.recent_half_life_seconds)
    engaged = list(state.engagements.values())[:-11:-1]
    since_event = max(now - state.last_event_time, 0.0) if state.num_contents else 0.0
    day_angle = 2 * math.pi * (now % _DAY) / _DAY
    week_angle = 2 * math.pi * (now % (7 * _DAY)) / (7 * _DAY)
    speed_known = math.isfinite(context.network_speed) and context.network_speed >= 0
    return [
        log_odds_ratio(overall.engaged, overall.terminals, ENGAGE_PRIOR, _STRENGTH),
        log_odds_ratio(overall.long_views, overall.terminals, LONG_VIEW_PRIOR, _STRENGTH),
        math.log1p(overall.terminals) / 4,
        math.tanh(overall.preference / 4),
        log_odds_ratio(fade * recent.engaged, fade * recent.terminals, ENGAGE_PRIOR, _STRENGTH),
        log_odds_ratio(fade * recent.long_views, fade * recent.terminals, LONG_VIEW_PRIOR, _STRENGTH),
        math.log1p(fade * recent.terminals) / 4,
        _share_of_last(engaged, 1),
        _share_of_last(engaged, 3),
        _share_of_last(engaged, 10),
        math.log1p(since_event) / 8,
        math.log1p(state.session_contents) / 4,
        math.log1p(max(state.last_event_time - state.session_started, 0.0)) / 8,
        math.log1p(state.num_sessions) / 4,
        math.log1p(state.num_contents) / 6,
        math.log1p(state.average_session_seconds) / 8,
        math.log1p(state.average_session_contents) / 4,
        math.sin(day_angle),
        math.cos(day_angle),
        math.sin(week_angle),
        math.cos(week_angle),
        math.log1p(context.network_speed) / 5 if speed_known else 0.0,
        float(speed_known),
        state.loads.mean_log / 5 - 1 if state.loads.count else 0.0,
        float(state.loads.count > 0),
    ]


def user_ids(state: UserState, context: RequestContext, now: float) -> dict[str, int]:
    """Return the key of every shared id feature."""
    return {
        "user": key_of(state.user_id),
        "device": context_key("device", context.device),
        "network": context_key("network", context.network),
        "surface": context_key("surface", context.surface),
        "language": key_of(language_name(context.language)),
        "hour": context_key("hour", str(int(now % _DAY // 3_600))),
    }


@functools.lru_cache(maxsize=1 << 14)
def context_key(name: str, value: str) -> int:
    """Return the key of a value in the table that all fields of the context share; "" is MISSING_KEY."""
    return key_of(f"{name}={value}") if value else key_of("")


def engaged_history(state: UserState) -> IdArray:
    """Return the last contents that were engaged with, uint64 [<= MAX_HISTORY], newest last."""
    return state.history[state.history_engaged][-MAX_HISTORY:]


def preferred_categories(state: UserState) -> IdArray:
    """Return the categories liked best, uint64 [<= MAX_PREFERRED_CATEGORIES]: by engagement above average."""
    return np.array(preferred_category_keys(state), dtype=np.uint64)


def preferred_category_keys(state: UserState) -> list[int]:
    """Return `preferred_categories` as plain numbers, best first; of equals the one touched longest ago."""
    liked = [
        (preference + engaged - ENGAGE_PRIOR * terminals, key)
        for key, (_, terminals, engaged, _, preference) in state.categories.rows()
    ]
    liked = [pair for pair in liked if pair[0] > 0]
    liked.sort(key=itemgetter(0), reverse=True)  # stable
    return [key for _, key in liked[:MAX_PREFERRED_CATEGORIES]]


def profile_traits(profile: Mapping[str, Any] | None) -> IdArray:
    """Return a key for each field of the profile (age group, location ...), uint64 [<= MAX_TRAITS].

    Only plain values: a list or map (followed creators, say) is no trait.
    """
    if not profile:
        return np.empty(0, dtype=np.uint64)
    plain = [
        _trait_key(name, str(value))
        for name, value in sorted(profile.items())
        if isinstance(value, _PLAIN_TYPES) and value != ""
    ]
    return np.array(plain[:MAX_TRAITS], dtype=np.uint64)


@functools.lru_cache(maxsize=1 << 14)
def _trait_key(name: str, value: str) -> int:
    return key_of(f"trait:{name}={value}")


def _share_of_last(engaged: list[bool], count: int) -> float:
    """Return +1 where all of the newest `count` were engaged with, -1 where none, 0 where unknown."""
    newest = engaged[:count]
    return 2 * sum(newest) / len(newest) - 1 if newest else 0.0
