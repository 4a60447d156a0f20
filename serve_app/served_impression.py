"""The impression record of a slate: what was shown, and all that was known of it at that moment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from messages.examples import HEAD_INDEX
from messages.impressions import Impression, ModelVersion
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import RankingRequest

_ID_BYTES = 12
_IDS_DRAWN = 64


def request_ids(generator: np.random.Generator) -> Iterator[str]:
    """Yield ids of 24 hexadecimal digits, drawn many at once: that takes as long as one."""
    while True:
        drawn = generator.bytes(_ID_BYTES * _IDS_DRAWN)
        yield from (drawn[at : at + _ID_BYTES].hex() for at in range(0, len(drawn), _ID_BYTES))


def impression_of(
    request: RankingRequest, request_id: str, slate: RankedSlate, version: ModelVersion, arm: str
) -> Impression:
    """Return the record. slate: with one content at least. arm: the name it is logged under."""
    assert slate.scored is not None
    return Impression(
        request_id=request_id,
        user_id=request.user_id,
        timestamp=request.now,
        model=version,
        arm=arm,
        context=request.context,
        contents=slate.scored.contents,
        propensities=slate.propensities,
        scores=slate.scored.scores.astype(np.float32),
        sources=slate.sources,
        features=slate.scored.features,
        engage_chances=np.ascontiguousarray(slate.scored.probabilities[:, HEAD_INDEX["engage"]]),
    )
