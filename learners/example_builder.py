"""Rows of EXAMPLES gathered one by one in plain Python, and turned into columns once per release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from learners.open_impressions import OpenSlate
from learners.replayed_features import KnownFeatures, features_of_rows
from messages.arrays import IdArray, stack_known
from messages.content import ContentColumns, ContentFacts, words_of
from messages.events import EVENT_TYPE_CODES
from messages.examples import HEADS, ExampleBatch, JoinedExamples
from messages.features import IdBags
from messages.identifiers import MISSING_KEY, keys_of
from messages.uploads import Uploads

MAX_COMMENT_WORDS = 64
"""Of one comment; what follows is not read."""

_NOTHING = ExampleBatch.empty()
_NO_WORDS: IdArray = np.empty(0, dtype=np.uint64)


class ExampleBuilder:
    """One row per accepted event, in order; `build` gives them out and starts anew."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, float, int, int, int, bool, float]] = []
        self._joined: list[tuple[int, OpenSlate, int, bytes, float, str]] = []
        self._uploads: list[ContentFacts] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        event: Mapping[str, Any],
        user_key: int,
        content_key: int,
        creator_key: int,
        long_view: bool,
    ) -> None:
        """Add the row of an event of a person."""
        self._rows.append(
            (
                EVENT_TYPE_CODES[event["event_type"]],
                event["timestamp"],
                user_key,
                content_key,
                creator_key,
                long_view,
                event.get("watch_duration", 0.0),
            )
        )

    def join(self, event: Mapping[str, Any], slate: OpenSlate, place: int, labels: bytes) -> None:
        """Say that the row added last belongs to a place in a slate whose features are known."""
        watched = event.get("watch_duration", np.nan)
        text = event.get("comment_text", "")
        self._joined.append((len(self._rows) - 1, slate, place, labels, watched, text))

    def add_upload(self, facts: ContentFacts, content_key: int, creator_key: int) -> None:
        self._uploads.append(facts)
        self._rows.append(
            (
                EVENT_TYPE_CODES["content_upload"],
                facts.upload_timestamp,
                MISSING_KEY,
                content_key,
                creator_key,
                False,
                0.0,
            )
        )

    def build(self) -> ExampleBatch:
        """Return everything added since the last call."""
        rows, joined, uploads = self._rows, self._joined, self._uploads
        self._rows, self._joined, self._uploads = [], [], []
        if not rows:
            return _NOTHING
        types, times, user_keys, content_keys, creator_keys, long_views, watched = zip(*rows, strict=True)
        return ExampleBatch(
            event_types=np.array(types, dtype=np.uint8),
            times=np.array(times, dtype=np.float64),
            user_keys=np.array(user_keys, dtype=np.uint64),
            content_keys=np.array(content_keys, dtype=np.uint64),
            creator_keys=np.array(creator_keys, dtype=np.uint64),
            long_views=np.array(long_views, dtype=np.bool_),
            watch_seconds=np.array(watched, dtype=np.float32),
            joined=_joined_columns(joined) if joined else None,
            uploads=Uploads.of(uploads) if uploads else None,
        )


def _joined_columns(joined: list[tuple[int, OpenSlate, int, bytes, float, str]]) -> JoinedExamples:
    rows, slates, places, labels, watched, texts = zip(*joined, strict=True)
    impressions = [slate.impression for slate in slates]
    in_slate = np.array(places, dtype=np.int64)
    return JoinedExamples(
        rows=np.array(rows, dtype=np.int64),
        features=features_of_rows(_with_contents(slates), places),
        labels=np.frombuffer(b"".join(labels), dtype=np.uint8).reshape(len(rows), len(HEADS)),
        watch_seconds=np.array(watched, dtype=np.float32),
        slate_positions=in_slate,
        propensities=np.array(
            [shown.propensities[place] for shown, place in zip(impressions, places, strict=True)],
            dtype=np.float32,
        ),
        served_scores=np.array(
            [shown.scores[place] for shown, place in zip(impressions, places, strict=True)], dtype=np.float32
        ),
        request_keys=np.array([slate.request_key for slate in slates], dtype=np.uint64),
        arms=[shown.arm for shown in impressions],
        model_ids=[shown.model.model_id for shown in impressions],
        model_versions=[str(shown.model) for shown in impressions],
        engage_chances=stack_known(
            [
                (1, None if shown.engage_chances is None else shown.engage_chances[place : place + 1])
                for shown, place in zip(impressions, places, strict=True)
            ]
        ),
        comment_words=_words_of_comments(texts) if any(texts) else None,
    )


def _words_of_comments(texts: tuple[str, ...]) -> IdBags | None:
    bags = IdBags.of([keys_of(words_of(text)[:MAX_COMMENT_WORDS]) if text else _NO_WORDS for text in texts])
    return bags if len(bags.values) else None


def _with_contents(slates: tuple[OpenSlate, ...]) -> list[tuple[KnownFeatures, ContentColumns]]:
    return [(slate.features, slate.impression.contents) for slate in slates if slate.features is not None]
