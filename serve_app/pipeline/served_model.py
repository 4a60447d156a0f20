"""The model as the stages use it: features, a query for the index, probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from learners.features.assembly import assemble_request, assemble_tower
from learners.features.request_features import RequestFeatures
from learners.model_inputs import InputLayout
from learners.online_scaling import scaling_of
from learners.request_inputs import gather_request, gather_tower
from learners.request_layout import RequestLayout
from learners.request_network import RequestNetwork
from learners.retrieval_model import user_vector
from learners.user_state import UserState
from messages.arrays import FloatArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.updates import CounterRows
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import CandidateFeatures
from serve_app.pipeline.last_made import LastMade
from serve_app.pipeline.ranking_request import RankingRequest


class ServedModel(Protocol):
    """`LearnedModel`, or a known function of the candidates in tests."""

    def features(
        self, request: RankingRequest, contents: ContentColumns, counters: CounterRows
    ) -> CandidateFeatures:
        """Compute the features of n contents for the person who asks."""
        ...

    def query(self, request: RankingRequest) -> FloatArray:
        """Return the vector whose nearest contents the person may like, float32 [R + 1]."""
        ...

    def probabilities(self, request: RankingRequest, features: CandidateFeatures) -> FloatArray:
        """Return the sigmoid of each output, float32 [n, len(OUTPUTS)]; features: as `features` gave them.

        Of a head its probability, of the watch time its share of it and a unit (`learners/watch_time.py`).
        """
        ...


class LearnedModel:
    """The model that the learners train, by their own definition and with the replica's weights, in numpy."""

    def __init__(self, replica: ModelReplica) -> None:
        self._layout = InputLayout(replica.dimensions)
        self._request_layout = RequestLayout(self._layout)
        self._replica = replica
        self._dense: Mapping[str, FloatArray] = {}
        # Read off the person's state once a request: for the index, then for the network.
        self._towers: LastMade[UserState, FeatureBatch] = LastMade(assemble_tower)

    def features(
        self, request: RankingRequest, contents: ContentColumns, counters: CounterRows
    ) -> CandidateFeatures:
        return assemble_request(
            request.state,
            request.traits,
            request.context,
            contents,
            request.now,
            counters,
            self._towers.take(request.state),
        )

    def query(self, request: RankingRequest) -> FloatArray:
        inputs = gather_tower(self._towers.of(request.state), request.rows, self._layout)
        vectors = user_vector(self._replica.dense, inputs)
        query: FloatArray = vectors[0]
        return query

    def probabilities(self, request: RankingRequest, features: CandidateFeatures) -> FloatArray:
        assert isinstance(features, RequestFeatures)
        self._take_up(self._replica.dense)
        inputs = gather_request(features, request.rows, self._request_layout, self._scaling)
        logits: FloatArray = self._network.logits(inputs)
        with np.errstate(over="ignore"):  # exp of a very negative logit is inf, and 1 / inf the right answer
            chances: FloatArray = np.reciprocal(1 + np.exp(-logits))
        return chances

    def _take_up(self, dense: Mapping[str, FloatArray]) -> None:
        """Lay out the weights of another version; a replica never changes those of a version."""
        if dense is not self._dense:
            self._scaling = scaling_of(dense)
            self._network = RequestNetwork(dense, self._layout)
            self._dense = dense
