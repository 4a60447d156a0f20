"""Impressions as a server would log them, for tests that need one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from learners.features.slate_rows import rows_of_slates
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch
from messages.impressions import Impression, ModelVersion, RequestContext
from messages.slate_features import SlateFeatures


def impression_of(user_id: str, content_ids: list[str], *, request_id: str = "request") -> Impression:
    """One slate without features: the joiner computes them, as it does in a replay."""
    contents = ContentColumns.of(
        [
            ContentFacts(content_id, "creator", 1.0, ContentMetadata(category="cats", duration=10.0))
            for content_id in content_ids
        ]
    )
    size = len(content_ids)
    return Impression(
        request_id=request_id,
        user_id=user_id,
        timestamp=time.time(),
        model=ModelVersion("production", "a", 1),
        arm="test",
        context=RequestContext(),
        contents=contents,
        propensities=np.ones(size, dtype=np.float32),
        scores=np.zeros(size, dtype=np.float32),
        sources=["test"] * size,
        features=None,
    )


def whole_rows(features: SlateFeatures, contents: ContentColumns) -> FeatureBatch:
    """Return the features of every content of a slate as a row of its own."""
    every = np.arange(len(features))
    return rows_of_slates([features], [contents], np.zeros_like(every), every)


def in_old_form(impression: Impression) -> dict[str, Any]:
    """Return the wire map that earlier versions wrote: names among the contents, features in whole rows."""
    wire, features = impression.to_wire(), impression.features
    del wire["names"]
    if isinstance(features, SlateFeatures):
        wire["features"] = whole_rows(features, impression.contents).to_wire()
    return wire | {"contents": impression.contents.to_wire(), "sources": impression.sources}
