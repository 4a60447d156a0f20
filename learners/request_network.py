"""The ranking network over the candidates of one request: what `ranking_model.score` says, in fewer steps.

All candidates of a request meet the same person, so the products of person and content are linear in the
content: they are folded into the first layer's weights, once a request. Features of which a request has few
values (categories, durations, languages) are multiplied once a value. Weights are laid out for the
multiplications once a version; what is between two multiplications is one pass over the hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from learners.model_inputs import InputLayout
from learners.request_inputs import CATEGORY_KIND, KINDS, RequestInputs, own_columns
from messages.arrays import FloatArray
from messages.examples import OUTPUTS

_NUM_OUTPUTS = len(OUTPUTS)


class RequestNetwork:
    """One version of the dense weights. One thread: calls share their working memory."""

    def __init__(self, dense: Mapping[str, FloatArray], layout: InputLayout) -> None:
        """dense: as `initial_dense_weights` names them; they are not copied where their layout fits."""
        own = _laid_out(dense["first.own"])
        self._own_weight = own[own_columns(layout)]
        self._kind_weights = [
            np.concatenate([own[layout.row_columns(feature)] for feature in kind]) for kind in KINDS
        ]
        self._products_weight = _laid_out(dense["first.products"])
        self._shared_weight = _laid_out(dense["first.shared"])
        self._bias = _laid_out(dense["first.bias"])
        self._layers: list[tuple[FloatArray, FloatArray]] = []
        while f"hidden{len(self._layers) + 1}.weight" in dense:
            name = f"hidden{len(self._layers) + 1}"
            self._layers.append((_laid_out(dense[f"{name}.weight"]), _laid_out(dense[f"{name}.bias"])[0]))
        self._output_weight = _laid_out(dense["output.weight"])
        self._factors = [layout.vector_columns(name) for name in ("user", "history", "preferred_categories")]
        vector, category = (part.stop - part.start for part in self._factors[1:])
        # Each request writes its person's products over these rows of the weights above.
        self._content_weight = self._own_weight[:vector].copy()
        self._category_weight = self._kind_weights[CATEGORY_KIND][:category].copy()
        self._memory: list[FloatArray] = []

    def logits(self, inputs: RequestInputs) -> FloatArray:
        """Return one logit per candidate and output, float32 [n, len(OUTPUTS)]."""
        own, person = inputs.own, inputs.shared[0]
        user, history, taste = (person[columns, None] for columns in self._factors)
        vector, category = len(self._content_weight), len(self._category_weight)
        products, content_weight = self._products_weight, self._own_weight[:vector]
        np.add(self._content_weight, user * products[:vector], out=content_weight)
        content_weight += history * products[vector : 2 * vector]
        category_weight = self._kind_weights[CATEGORY_KIND][:category]
        np.add(self._category_weight, taste * products[2 * vector :], out=category_weight)
        by_kind = np.concatenate(
            [values @ weight for values, weight in zip(inputs.kind_rows, self._kind_weights, strict=True)]
        )
        by_kind[: len(inputs.kind_rows[0])] += inputs.shared @ self._shared_weight + self._bias
        first, hidden, *others = self._working_memory(len(own))
        np.matmul(own, self._own_weight, out=first)
        logits = np.empty((len(own), _NUM_OUTPUTS), dtype=np.float32)
        _finish_first(first, by_kind, inputs.kinds, hidden, logits)
        for (weight, bias), values in zip(self._layers, others, strict=True):
            np.matmul(hidden, weight, out=values)
            _add_rectified(values, bias)
            hidden = values
        logits += hidden @ self._output_weight
        return logits

    def _working_memory(self, num_rows: int) -> list[FloatArray]:
        """Return room for the first layer's sums and for the units of every hidden layer."""
        if not self._memory or len(self._memory[0]) < num_rows:
            width = self._bias.shape[1]
            widths = [width, width - _NUM_OUTPUTS, *(len(bias) for _, bias in self._layers)]
            self._memory = [np.empty((num_rows, width), dtype=np.float32) for width in widths]
        return [values[:num_rows] for values in self._memory]


def _laid_out(weight: FloatArray) -> FloatArray:
    """Return a weight aligned and by rows: BLAS copies any other, at each multiplication."""
    return np.require(weight, dtype=np.float32, requirements=("C", "A"))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _finish_first(first: Any, by_kind: Any, kinds: Any, hidden: Any, wide: Any) -> None:
    """Add what each row's kinds give, and part the sums: hidden units, and the wide part.

    first: [n, H + K]. by_kind: [u, H + K], one of a row's kinds with what all rows have. kinds: [n, 3], rows
    of `by_kind`. hidden: [n, H]. wide: [n, K]. A NaN stays one: it says that the model has no answer.
    """
    width = hidden.shape[1]
    for row in range(len(first)):
        # By slices: with two indices at each number the compiler makes no vectors of them.
        sums, units, outputs = first[row], hidden[row], wide[row]
        one, other, last = by_kind[kinds[row, 0]], by_kind[kinds[row, 1]], by_kind[kinds[row, 2]]
        for column in range(width):
            unit = sums[column] + one[column] + other[column] + last[column]
            units[column] = np.float32(0) if unit < 0 else unit
        for column in range(len(outputs)):
            place = width + column
            outputs[column] = sums[place] + one[place] + other[place] + last[place]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_rectified(values: Any, bias: Any) -> None:
    """values = max(values + bias, 0), in place; a NaN stays one."""
    for row in range(len(values)):
        for column in range(values.shape[1]):
            value = values[row, column] + bias[column]
            values[row, column] = np.float32(0) if value < 0 else value
