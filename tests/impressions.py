"""Impressions as a server would log them, for tests that need one."""

from __future__ import annotations

import time

import numpy as np

from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.impressions import Impression, ModelVersion, RequestContext


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
