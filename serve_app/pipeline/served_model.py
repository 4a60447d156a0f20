"""The model as the stages use it: features, a query for the index, probabilities."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from learners.features.assembly import assemble, assemble_tower
from learners.model_inputs import InputLayout, gather_inputs, gather_user_inputs
from learners.online_scaling import scaling_of
from learners.ranking_model import score
from learners.retrieval_model import user_vector
from messages.arrays import FloatArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.updates import CounterRows
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.ranking_request import RankingRequest


class ServedModel(Protocol):
    """`LearnedModel`, or a known function of the candidates in tests."""

    def features(
        self, request: RankingRequest, contents: ContentColumns, counters: CounterRows
    ) -> FeatureBatch:
        """Compute the features of n contents for the person who asks."""
        ...

    def query(self, request: RankingRequest) -> FloatArray:
        """Return the vector whose nearest contents the person may like, float32 [R + 1]."""
        ...

    def probabilities(self, request: RankingRequest, features: FeatureBatch) -> FloatArray:
        """Return the sigmoid of each output, float32 [n, len(OUTPUTS)].

        Of a head its probability, of the watch time its share of it and a unit (`learners/watch_time.py`).
        """
        ...


class LearnedModel:
    """The model that the learners train, by their own definition and with the replica's weights, in numpy."""

    def __init__(self, replica: ModelReplica) -> None:
        self._layout = InputLayout(replica.dimensions)
        self._replica = replica

    def features(
        self, request: RankingRequest, contents: ContentColumns, counters: CounterRows
    ) -> FeatureBatch:
        return assemble(request.state, request.traits, request.context, contents, request.now, counters)

    def query(self, request: RankingRequest) -> FloatArray:
        person = assemble_tower(request.state)
        vectors = user_vector(self._replica.dense, gather_user_inputs(person, request.rows))
        query: FloatArray = vectors[0]
        return query

    def probabilities(self, request: RankingRequest, features: FeatureBatch) -> FloatArray:
        weights = self._replica.dense
        inputs = gather_inputs(features, request.rows, self._layout, scaling_of(weights))
        logits = score(weights, inputs)
        with np.errstate(over="ignore"):  # exp of a very negative logit is inf, and 1 / inf the right answer
            probabilities: FloatArray = 1 / (1 + np.exp(-logits))
        return probabilities
