"""EXAMPLES: one row for every accepted event, in columns; a joined row carries features and labels.

A message holds everything that was released by the FEED positions it covers; `ExamplesHeader` says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np

from messages.arrays import BoolArray, ByteArray, DoubleArray, FloatArray, IdArray, IntArray, stack_known
from messages.codec import MalformedMessageError, pack, unpack
from messages.features import FeatureBatch, IdBags, stack_bags
from messages.uploads import Uploads

HEADS: tuple[str, ...] = (
    "engage",
    "long_view",
    "complete",
    "like",
    "comment",
    "share",
    "follow",
    "save",
    "negative",
)
"""The model's binary heads, in the order of every label column. Append, never reorder."""

HEAD_INDEX = {name: index for index, name in enumerate(HEADS)}

WATCH_TIME = "watch_time"

OUTPUTS: tuple[str, ...] = (*HEADS, WATCH_TIME)
"""What the model predicts, in the order of its columns: the heads, whose truth are labels, and the time that
will be watched (`learners/watch_time.py`), whose truth is `JoinedExamples.watch_seconds`."""


class LabelKind(IntEnum):
    """What one event says about one head of the impression it belongs to.

    Heads whose truth may arrive after the terminal event are first trained as 0 (a fake negative where the
    engagement still comes); the kinds let the learner correct for it (Ktena et al., arXiv 1907.06558).
    """

    UNTRAINED = 0
    OBSERVED_NEGATIVE = 1
    OBSERVED_POSITIVE = 2
    PROVISIONAL_NEGATIVE = 3
    """The terminal event closed the example and the engagement may still come."""
    EARLY_POSITIVE = 4
    """Came before the terminal event: no fake negative stands against it."""
    LATE_POSITIVE = 5
    """Came after the terminal event: a provisional negative was trained before."""


@dataclass(frozen=True, slots=True)
class JoinedExamples:
    """k rows whose impression was found.

    rows: int64 [k], which rows of the batch they are. labels: LabelKind as uint8 [k, heads].
    watch_seconds: float32 [k], NaN where the event does not say. slate_positions: int64 [k], place in the
    slate from 0. propensities, served_scores: float32 [k]. request_keys: uint64 [k]. arms, model_ids,
    model_versions: k strings. engage_chances: of an engagement, as served, float32 [k], NaN where not known.
    comment_words: keys of a comment's words, a bag per row; None where no row is a comment with words.
    """

    rows: IntArray
    features: FeatureBatch
    labels: ByteArray
    watch_seconds: FloatArray
    slate_positions: IntArray
    propensities: FloatArray
    served_scores: FloatArray
    request_keys: IdArray
    arms: list[str]
    model_ids: list[str]
    model_versions: list[str]
    engage_chances: FloatArray | None = None
    comment_words: IdBags | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def to_wire(self) -> dict[str, Any]:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["features"] = self.features.to_wire()
        words = self.comment_words
        columns["comment_words"] = None if words is None else words.to_wire()
        return {name: column for name, column in columns.items() if column is not None}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> JoinedExamples:
        words = wire.get("comment_words")
        features = FeatureBatch.from_wire(wire["features"])
        bags = None if words is None else IdBags.from_wire(words)
        return cls(**{**wire, "features": features, "comment_words": bags})


@dataclass(frozen=True, slots=True)
class ExampleBatch:
    """n accepted events.

    event_types: codes of EVENT_TYPES, uint8 [n]. times: epoch seconds, float64 [n]. user_keys, content_keys,
    creator_keys: uint64 [n], MISSING_KEY where the event names none. long_views: bool [n] and watch_seconds:
    float32 [n], 0 where the event does not say, are for the counters, and so there for orphans too.
    joined: None where no row found its impression. uploads: the facts of the content_upload rows, in order.
    """

    event_types: ByteArray
    times: DoubleArray
    user_keys: IdArray
    content_keys: IdArray
    creator_keys: IdArray
    long_views: BoolArray
    watch_seconds: FloatArray
    joined: JoinedExamples | None
    uploads: Uploads | None

    def __len__(self) -> int:
        return len(self.event_types)

    def encode(self) -> bytes:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["joined"] = None if self.joined is None else self.joined.to_wire()
        columns["uploads"] = None if self.uploads is None else self.uploads.to_wire()
        return pack(columns)

    @classmethod
    def decode(cls, data: bytes) -> ExampleBatch:
        """Raises MalformedMessageError."""
        wire = unpack(data)
        try:
            joined = wire["joined"]
            return cls(
                event_types=wire["event_types"],
                times=wire["times"],
                user_keys=wire["user_keys"],
                content_keys=wire["content_keys"],
                creator_keys=wire["creator_keys"],
                long_views=wire["long_views"],
                watch_seconds=wire["watch_seconds"],
                joined=None if joined is None else JoinedExamples.from_wire(joined),
                uploads=None if wire["uploads"] is None else Uploads.from_wire(wire["uploads"]),
            )
        except (KeyError, TypeError) as error:
            raise MalformedMessageError(f"not an EXAMPLES message: {error}") from error

    @classmethod
    def empty(cls) -> ExampleBatch:
        """Return a batch of no rows: what a joiner appends when nothing was released for a while."""
        nothing = np.empty(0, dtype=np.uint64)
        return cls(
            event_types=np.empty(0, dtype=np.uint8),
            times=np.empty(0, dtype=np.float64),
            user_keys=nothing,
            content_keys=nothing,
            creator_keys=nothing,
            long_views=np.empty(0, dtype=np.bool_),
            watch_seconds=np.empty(0, dtype=np.float32),
            joined=None,
            uploads=None,
        )

    @staticmethod
    def concatenate(parts: Sequence[ExampleBatch]) -> ExampleBatch:
        """Stack batches in order."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return ExampleBatch.empty()
        starts = np.cumsum([0, *(len(part) for part in parts)])
        joined = [
            (start, part.joined)
            for start, part in zip(starts, parts, strict=False)
            if part.joined is not None
        ]
        uploads = [part.uploads for part in parts if part.uploads is not None]
        return ExampleBatch(
            event_types=np.concatenate([part.event_types for part in parts]),
            times=np.concatenate([part.times for part in parts]),
            user_keys=np.concatenate([part.user_keys for part in parts]),
            content_keys=np.concatenate([part.content_keys for part in parts]),
            creator_keys=np.concatenate([part.creator_keys for part in parts]),
            long_views=np.concatenate([part.long_views for part in parts]),
            watch_seconds=np.concatenate([part.watch_seconds for part in parts]),
            joined=_stack_joined(joined) if joined else None,
            uploads=Uploads.concatenate(uploads) if uploads else None,
        )


def _stack_joined(parts: Sequence[tuple[int, JoinedExamples]]) -> JoinedExamples:
    return JoinedExamples(
        rows=np.concatenate([part.rows + start for start, part in parts]),
        features=FeatureBatch.concatenate([part.features for _, part in parts]),
        labels=np.concatenate([part.labels for _, part in parts]),
        watch_seconds=np.concatenate([part.watch_seconds for _, part in parts]),
        slate_positions=np.concatenate([part.slate_positions for _, part in parts]),
        propensities=np.concatenate([part.propensities for _, part in parts]),
        served_scores=np.concatenate([part.served_scores for _, part in parts]),
        request_keys=np.concatenate([part.request_keys for _, part in parts]),
        arms=[arm for _, part in parts for arm in part.arms],
        model_ids=[model for _, part in parts for model in part.model_ids],
        model_versions=[version for _, part in parts for version in part.model_versions],
        engage_chances=stack_known([(len(part), part.engage_chances) for _, part in parts]),
        comment_words=stack_bags([(len(part), part.comment_words) for _, part in parts]),
    )
