"""The ranking network over the candidates of one request: what `ranking_model.score` says, in fewer steps.

All candidates of a request meet the same person, so the products of person and content are linear in the
content: they are folded into the first layer's weights, once a request. Features of which a request has few
values (categories, durations, languages) are multiplied once a value. Weights are laid out for the
multiplications once a version; then a few rows at a time go through all layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from learners.dense_tiles import PANEL, add_products, aligned, in_panels, padded_width
from learners.model_inputs import InputLayout
from learners.request_inputs import RequestInputs
from learners.request_layout import CATEGORY_KIND, KINDS, RequestLayout
from messages.arrays import FloatArray, IntArray
from messages.examples import OUTPUTS

_NUM_OUTPUTS = len(OUTPUTS)
_ROWS_AT_ONCE = 24
"""Their units of all layers and the weights of one fit beside each other in the second cache."""


class RequestNetwork:
    """One version of the dense weights. One thread: each call writes its person into the first layer."""

    def __init__(self, dense: Mapping[str, FloatArray], layout: InputLayout) -> None:
        """dense: as `initial_dense_weights` names them."""
        own = _first_layer(dense["first.own"])
        self._own = in_panels(own[RequestLayout(layout).own_columns])
        self._kinds = tuple(
            in_panels(np.concatenate([own[layout.row_columns(feature)] for feature in kind]))
            for kind in KINDS
        )
        self._products = in_panels(_first_layer(dense["first.products"]))
        self._shared = in_panels(_first_layer(dense["first.shared"]))
        self._bias = _first_layer(dense["first.bias"])
        self._factors = np.array(
            [layout.vector_columns(name).start for name in ("user", "history", "preferred_categories")]
        )
        vector, category = (
            part.stop - part.start for part in map(layout.vector_columns, ("history", "preferred_categories"))
        )
        # Each request writes its person's products over these rows of the weights above.
        self._content = self._own[:, :vector].copy()
        self._category = self._kinds[CATEGORY_KIND][:, :category].copy()
        self._later, self._shapes = _later_layers(dense)

    def logits(self, inputs: RequestInputs) -> FloatArray:
        """Return one logit per candidate and output, float32 [n, len(OUTPUTS)]."""
        num_values = sum(len(rows) for rows in inputs.kind_rows)
        by_kind = np.empty((num_values, self._bias.shape[1]), dtype=np.float32)
        weights = self._own, self._kinds, self._products, self._shared, self._bias.copy()
        without = self._content, self._category
        _meet_person(inputs.shared, tuple(inputs.kind_rows), self._factors, without, weights, by_kind)
        logits = np.empty((len(inputs.own), _NUM_OUTPUTS), dtype=np.float32)
        network = by_kind, self._own, self._later, self._shapes
        _score_rows(inputs.own, inputs.kinds, network, logits)
        return logits


def _first_layer(weight: FloatArray) -> FloatArray:
    """Let the wide part, the last columns, begin with a panel."""
    hidden = weight.shape[1] - _NUM_OUTPUTS
    columns = padded_width(hidden)
    apart = np.zeros((len(weight), columns + padded_width(_NUM_OUTPUTS)), dtype=np.float32)
    apart[:, :hidden] = weight[:, :hidden]
    apart[:, columns : columns + _NUM_OUTPUTS] = weight[:, hidden:]
    return apart


def _later_layers(dense: Mapping[str, FloatArray]) -> tuple[FloatArray, IntArray]:
    """Return all layers after the first in one array, so that one kernel takes any number of them: of each
    the biases, then the panels. And their shapes, int64 [l, 2]: inputs, panels."""
    biases: list[FloatArray] = []
    weights: list[FloatArray] = []
    while f"hidden{len(weights) + 1}.weight" in dense:
        name = f"hidden{len(weights) + 1}"
        weight = dense[f"{name}.weight"]
        # Of units that are 0 no weight is read: one that is no number would go unnoticed there.
        unknown = np.where(np.isfinite(weight).all(axis=0), np.float32(0), np.float32(np.nan))
        biases.append(in_panels(dense[f"{name}.bias"] + unknown))
        weights.append(in_panels(weight))
    weights.append(in_panels(dense["output.weight"]))
    biases.append(np.zeros((len(weights[-1]), 1, PANEL), dtype=np.float32))  # the first layer adds them
    parts = [part.ravel() for layer in zip(biases, weights, strict=True) for part in layer]
    layers = aligned((sum(len(part) for part in parts),))
    np.concatenate(parts, out=layers)
    return layers, np.array([(weight.shape[1], len(weight)) for weight in weights])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _meet_person(shared: Any, kind_rows: Any, factors: Any, without: Any, weights: Any, by_kind: Any) -> None:
    """Fold one person into the first layer.

    shared: [1, S]. kind_rows: of each kind [u, w]. factors: where user, history and taste begin in `shared`.
    without: the rows of the weights that products meet, as they are for nobody. weights: the last are the
    biases, to which is added what all candidates have. by_kind: gets what each value of each kind gives, with
    the first kind's also what all have.
    """
    person = shared[0]
    own, of_kinds, products, of_shared, everywhere = weights
    content, category = without
    vector, width = content.shape[1], category.shape[1]
    user, history, taste = person[factors[0] :], person[factors[1] :], person[factors[2] :]
    for panel in range(len(own)):
        for row in range(vector):
            target, start = own[panel, row], content[panel, row]
            liked, seen = products[panel, row], products[panel, vector + row]
            for column in range(PANEL):
                target[column] = start[column] + user[row] * liked[column] + history[row] * seen[column]
        for row in range(width):
            target, start = of_kinds[CATEGORY_KIND][panel, row], category[panel, row]
            liked = products[panel, 2 * vector + row]
            for column in range(PANEL):
                target[column] = start[column] + taste[row] * liked[column]
    add_products(shared, of_shared, everywhere, 0, False)
    for row in range(len(by_kind)):
        for column in range(by_kind.shape[1]):
            by_kind[row, column] = everywhere[0, column] if row < len(kind_rows[0]) else 0
    first = 0
    for kind in range(len(kind_rows)):
        last = first + len(kind_rows[kind])
        add_products(kind_rows[kind], of_kinds[kind], by_kind[first:last], 0, False)
        first = last


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _score_rows(own: Any, kinds: Any, network: Any, logits: Any) -> None:
    """Write the logits of all rows, by what `_meet_person` wrote.

    own: [n, W]. kinds: [n, 3], rows of `by_kind`.
    """
    by_kind, weights, later, shapes = network
    num_wide = shapes[-1, 1]
    num_units = by_kind.shape[1] + shapes[:, 1].sum() * PANEL
    memory = np.empty(_ROWS_AT_ONCE * num_units, dtype=np.float32)
    for start in range(0, len(own), _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, len(own))
        sums, rest = _cut(memory, end - start, by_kind.shape[1])
        for row in range(len(sums)):
            kind = kinds[start + row]
            one, other, another = by_kind[kind[0]], by_kind[kind[1]], by_kind[kind[2]]
            target = sums[row]
            for column in range(len(target)):
                target[column] = one[column] + other[column] + another[column]
        add_products(own[start:end], weights, sums, len(weights) - num_wide, False)
        units, place = sums, 0
        for layer in range(len(shapes)):
            depth, panels = shapes[layer]
            bias = later[place : place + panels * PANEL]
            place += len(bias)
            weight = later[place : place + depth * len(bias)].reshape(panels, depth, PANEL)
            place += weight.size
            outputs, rest = _cut(rest, len(sums), len(bias))
            for row in range(len(outputs)):
                for column in range(len(bias)):  # an assignment of the row takes ten times as long
                    outputs[row, column] = bias[column]
            hidden = layer + 1 < len(shapes)
            add_products(units, weight, outputs, panels if hidden else 0, hidden)
            units = outputs
        wide = sums[:, (len(weights) - num_wide) * PANEL :]
        for row in range(len(sums)):
            for column in range(logits.shape[1]):
                logits[start + row, column] = wide[row, column] + units[row, column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cut(memory: Any, rows: Any, columns: Any) -> Any:
    """Return room for some rows, and the rest of the memory."""
    return memory[: rows * columns].reshape(rows, columns), memory[rows * columns :]
