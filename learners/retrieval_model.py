"""The two towers of retrieval: a person's vector against the contents' trained rows, by inner product.

The content side is the row itself (no network over it), so one changed row is one changed vector in the
index. The user side is the mean row of what was engaged with, plus what a small network makes of person and
history: untrained it answers the mean alone, which already finds contents like those engaged with.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learners.model_inputs import NUMPY, Array, Operations, UserInputs
from messages.arrays import FloatArray


def user_vector(dense: Mapping[str, Array], inputs: UserInputs, operations: Operations = NUMPY) -> Array:
    """Return [s, R + 1]: the person's vector and a 1 that meets the contents' bias."""
    hidden = operations.rectified(
        inputs.history @ dense["tower.history"] + inputs.shared @ dense["tower.shared"] + dense["tower.bias"]
    )
    vector = inputs.history + hidden @ dense["tower.output"]
    return operations.concatenate([vector, vector[:, :1] * 0 + 1])


def content_vectors(retrieval_rows: FloatArray) -> FloatArray:
    """Return what the index holds for these rows of the retrieval slot: themselves, [n, R + 1], bias last."""
    return np.ascontiguousarray(retrieval_rows, dtype=np.float32)
