"""Why this content: in words, for the person."""

from __future__ import annotations

from messages.arrays import IdArray
from serve_app.model_replica import ModelReplica

REASONS: dict[str, str] = {
    "followed_creators": "by a creator you follow",
    "similar_to_liked": "like something you liked",
    "collaborative": "liked by people whose taste is like yours",
    "hybrid": "liked by people whose taste is like yours",
    "two_tower": "close to what you watch",
    "preferred_categories": "from a category you chose",
    "trending": "many people watch it now",
    "fresh": "new, and few have seen it yet",
    "catalogue_sample": "from the whole catalogue",
}
EXPLORED_REASON = "shown to find out whether you like it"


def reasons_of(
    sources: list[str], anchors: IdArray, explored: list[bool], replica: ModelReplica
) -> list[str]:
    """Say why each content of a slate is there; names the liked content where there is one."""
    contents = replica.state.contents
    rows = contents.find(anchors)
    liked = iter(contents.content_ids(rows[rows >= 0]))
    reasons = []
    for source, row, was_explored in zip(sources, rows.tolist(), explored, strict=True):
        anchor = next(liked) if row >= 0 else None
        reason = REASONS.get(source, source)
        if source in ("similar_to_liked", "hybrid") and anchor is not None:
            reason = f"like {anchor}, which you liked"
        reasons.append(f"{EXPLORED_REASON} ({reason})" if was_explored else reason)
    return reasons


def shortness_of(num_contents: int, num_proposed: int, removed: dict[str, int]) -> str:
    """Say why an answer has fewer contents than asked for."""
    if not num_contents:
        return "the catalogue is empty"
    if not num_proposed:
        return "everything there is was served, watched or hidden before"
    filters = ", ".join(f"{name} removed {count}" for name, count in removed.items() if name != "duplicate")
    return f"only {num_proposed} proposals were left" + (f"; {filters}" if filters else "")
