"""Which impression caused an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from learners.join_state import JoinState
from learners.open_impressions import OpenImpressions, OpenSlate
from messages.identifiers import MISSING_KEY, key_of


def cause_of(
    event: Mapping[str, Any],
    content_key: int,
    creator_key: int,
    impressions: OpenImpressions,
    user_id: str,
    join: JoinState,
) -> tuple[OpenSlate, int] | None:
    """Find the slate, its features known, and the place in it that an event of this person belongs to.

    An event with a request id belongs to that request or to none. Without one it belongs to the latest open
    impression of the content; where it names no content (follow, unfollow), of the creator.
    """
    request_id = event.get("request_id")
    slate: OpenSlate | None
    if request_id is not None:
        slate = impressions.requests_of(user_id).get(key_of(request_id))
    elif content_key != MISSING_KEY:
        slate = impressions.latest_with_content(user_id, content_key)
    else:
        slate = impressions.latest_with_creator(user_id, creator_key)
    if slate is None:
        return None
    if content_key != MISSING_KEY:
        place = slate.places.get(content_key)
    else:
        place = _place_of_creator(slate, creator_key, join)
    if place is None:
        return None
    if slate.features is None:  # recalled after a restart
        slate.features = join.features_of(slate.request_key)
    return None if slate.features is None else (slate, place)


def _place_of_creator(slate: OpenSlate, creator_key: int, join: JoinState) -> int | None:
    """A follow means the creator's content that was touched last; the first where none was."""
    places = slate.places_of_creator(creator_key)
    touched = [place for place in join.places_marked(slate.request_key) if place in places]
    return touched[-1] if touched else next(iter(places), None)
