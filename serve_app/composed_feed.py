"""An answer to a feed request and its impression, made in the moment of the ranking: row numbers, version and
position of both belong to one state of the replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import IdArray
from messages.identifiers import key_of
from messages.impressions import Impression, ModelVersion
from serve_app.feed_answer import about_content, feed_answer
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import FeedRequest, RankingRequest
from serve_app.served_impression import impression_of
from serve_app.serving_models import ServingModel


class NoModelYetError(ConnectionError):
    """This replica has just begun and not heard from the model actor: it has nothing to rank with."""


@dataclass(frozen=True, slots=True)
class ComposedFeed:
    """impression: None where nothing is shown."""

    ranking: RankingRequest
    slate: RankedSlate
    answer: dict[str, Any]
    impression: Impression | None
    version: ModelVersion

    @property
    def shown(self) -> IdArray:
        """Keys of the contents shown, uint64 [k]."""
        if self.impression is None:
            return np.empty(0, dtype=np.uint64)
        return self.impression.contents.content_keys


def compose_feed(
    request: FeedRequest,
    ranking: RankingRequest,
    slate: RankedSlate,
    model: ServingModel,
    *,
    request_id: str,
    arm: str,
    num_partitions: int,
) -> ComposedFeed:
    """Raises NoModelYetError."""
    version = model.replica.version
    if version is None:
        raise NoModelYetError("no version of the model has arrived yet")
    answer = feed_answer(
        ranking,
        request_id,
        slate,
        model.replica,
        num_partitions=num_partitions,
        explain=request.explain,
    )
    answer["arm"] = arm
    if request.about is not None:
        answer["about"] = _about(request.about, ranking, slate, model)
    impression = None
    if slate.scored is not None:
        impression = impression_of(ranking, request_id, slate, version, arm)
    return ComposedFeed(ranking, slate, answer, impression, version)


def _about(
    content_id: str, ranking: RankingRequest, slate: RankedSlate, model: ServingModel
) -> dict[str, Any]:
    keys = np.array([key_of(content_id)], dtype=np.uint64)
    row = int(model.replica.state.contents.find(keys)[0])
    considered = None if row < 0 else model.pipeline.consider(ranking, row, slate)
    return about_content(content_id, considered, slate, limit=ranking.limit)
