"""What one event teaches about the impression it belongs to, given what the impression has taught already.

A terminal event (view, complete_view, skip) closes the example at once and trains the heads whose engagement
has not come as provisional negatives; an engagement that comes later is a second, positive example for its
head, and its kind lets the learner correct for the first (Ktena et al., arXiv 1907.06558).
"""

from __future__ import annotations

import functools

from learners.watch_outcome import WatchOutcome
from messages.events import TERMINAL_EVENT_TYPES
from messages.examples import HEAD_INDEX, HEADS, LabelKind

NO_MARKS = 0
"""Marks are the memory of one content in one slate: a bit for closed, and one for each head that was
trained positive."""

CLOSED_MARK = 1

HEAD_OF_EVENT: dict[str, str] = {
    "like": "like",
    "comment": "comment",
    "share": "share",
    "follow": "follow",
    "save": "save",
    "hide": "negative",
    "report": "negative",
}

OBSERVED_HEADS: tuple[str, ...] = ("engage", "long_view", "complete")
"""The heads that a terminal event decides, in the order of WatchOutcome; the others stay provisional."""

UNTRAINED_LABELS = bytes(len(HEADS))

_COMPLETE = HEAD_INDEX["complete"]


def positive_mark(head: int) -> int:
    """Return the mark of a head, by its index in HEADS, that was trained positive."""
    return 2 << head


@functools.lru_cache(maxsize=1 << 14)
def labels_of(event_type: str, outcome: WatchOutcome | None, marks: int) -> tuple[bytes, int]:
    """Return one LabelKind per head, uint8 [heads] as bytes, and the marks after the event.

    outcome: of a terminal event, None for others. A second terminal event, a second engagement of the same
    head, a replay and an unfollow train nothing, except a complete_view after a watching that was closed as
    not complete: a late positive for that head.
    """
    labels = bytearray(UNTRAINED_LABELS)
    if event_type in TERMINAL_EVENT_TYPES:
        assert outcome is not None, "a terminal event has an outcome"
        if not marks & CLOSED_MARK:
            marks = _close(labels, outcome, marks)
        elif event_type == "complete_view" and not marks & positive_mark(_COMPLETE):
            labels[_COMPLETE] = LabelKind.LATE_POSITIVE
            marks |= positive_mark(_COMPLETE)
    elif event_type in HEAD_OF_EVENT:
        head = HEAD_INDEX[HEAD_OF_EVENT[event_type]]
        if not marks & positive_mark(head):
            closed = marks & CLOSED_MARK
            labels[head] = LabelKind.LATE_POSITIVE if closed else LabelKind.EARLY_POSITIVE
            marks |= positive_mark(head)
    return bytes(labels), marks


def _close(labels: bytearray, outcome: WatchOutcome, marks: int) -> int:
    for name, happened in zip(OBSERVED_HEADS, outcome, strict=True):
        head = HEAD_INDEX[name]
        labels[head] = LabelKind.OBSERVED_POSITIVE if happened else LabelKind.OBSERVED_NEGATIVE
        if happened:
            marks |= positive_mark(head)
    for head, name in enumerate(HEADS):
        if name not in OBSERVED_HEADS and not marks & positive_mark(head):
            labels[head] = LabelKind.PROVISIONAL_NEGATIVE
    return marks | CLOSED_MARK
