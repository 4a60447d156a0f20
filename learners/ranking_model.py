"""The ranking network: one definition, run by numpy in serving and by torch in training.

Wide and deep (Cheng et al., arXiv 1606.07792) with factorization-machine products (DeepFM, arXiv 1703.04247)
and one logit per output on a shared trunk (multi-task: "shared bottom").
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from learners.features.schema import (
    AUDIO_SLOT,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    CONTENT_SLOT,
    CONTEXT_SLOT,
    CREATOR_SLOT,
    RETRIEVAL_SLOT,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
    TAG_SLOT,
    USER_SLOT,
)
from learners.model_inputs import NUMPY, Array, InputLayout, ModelInputs, Operations
from learners.online_scaling import ScalingMethod, initial_statistics
from learners.table_settings import TableSettings
from learners.text_weights import initial_document_counts
from messages.arrays import FloatArray
from messages.examples import OUTPUTS, WATCH_TIME

HEAD_PRIORS: dict[str, float] = {
    "engage": 0.45,
    "long_view": 0.3,
    "complete": 0.25,
    "like": 0.02,
    "comment": 0.005,
    "share": 0.005,
    "follow": 0.005,
    "save": 0.005,
    "negative": 0.003,
    WATCH_TIME: 0.35,
}
"""Rough base rates: where the output biases start, so that no head's first batches push everything down."""


class RankingModelSettings(BaseModel):
    """Sizes of the model. Dimensions are without the bias column that every slot has besides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    content_dimension: int = Field(default=16, ge=1)
    """Of users and contents alike, since they meet in products."""
    category_dimension: int = Field(default=8, ge=1)
    creator_dimension: int = Field(default=8, ge=1)
    tag_dimension: int = Field(default=8, ge=1)
    audio_dimension: int = Field(default=4, ge=1)
    context_dimension: int = Field(default=8, ge=1)
    retrieval_dimension: int = Field(default=32, ge=1)
    hidden: tuple[int, ...] = (256, 128, 64)
    scaling: ScalingMethod = "z_score"
    """Of the numbers that enter beside the rows (`learners/online_scaling.py`)."""
    user_tower_hidden: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=0.05, gt=0)
    """Of every slot's rows (Adagrad) but those of `slot_learning_rates`."""
    slot_learning_rates: dict[str, float] = {
        CONTENT_SLOT: 0.03,
        CREATOR_SLOT: 0.02,
        CATEGORY_SLOT: 0.02,
        TAG_SLOT: 0.02,
        AUDIO_SLOT: 0.02,
    }
    """Lower where few rows see much: they need less of a rate to follow, and are surer with less noise."""
    tables: dict[str, TableSettings] = {}
    """By slot: its optimizer and initializer, which ids get a row, and how long and how many are kept."""
    dense_learning_rate: float = Field(default=4e-3, gt=0)
    """Of the dense weights (Adam)."""
    retrieval_birth_norm: float = Field(default=0.5, ge=0)
    content_birth_norm: float = Field(default=0.05, ge=0)
    """Lengths of the first rows that a new content gets from its upload."""

    @model_validator(mode="after")
    def _known_slots(self) -> RankingModelSettings:
        known = slot_dimensions(self)
        for field in ("tables", "slot_learning_rates"):
            if unknown := sorted(set(getattr(self, field)) - set(known)):
                raise ValueError(f"{field}: no such slots {unknown}; there are {sorted(known)}")
        return self


def slot_dimensions(settings: RankingModelSettings) -> dict[str, int]:
    """Return the number of columns of every slot, the bias column included."""
    return {
        USER_SLOT: settings.content_dimension + 1,
        CONTENT_SLOT: settings.content_dimension + 1,
        CREATOR_SLOT: settings.creator_dimension + 1,
        CATEGORY_SLOT: settings.category_dimension + 1,
        TAG_SLOT: settings.tag_dimension + 1,
        AUDIO_SLOT: settings.audio_dimension + 1,
        CONTEXT_SLOT: settings.context_dimension + 1,
        RETRIEVAL_SLOT: settings.retrieval_dimension + 1,
    }


def slot_learning_rates(settings: RankingModelSettings) -> dict[str, float]:
    """Return Adagrad's learning rate for the rows of every slot."""
    return {
        slot: settings.slot_learning_rates.get(slot, settings.learning_rate)
        for slot in slot_dimensions(settings)
    }


def input_layout(settings: RankingModelSettings) -> InputLayout:
    return InputLayout(slot_dimensions(settings))


def initial_dense_weights(settings: RankingModelSettings) -> dict[str, FloatArray]:
    """Draw the network's first weights, a function of the settings alone (He et al., arXiv 1502.01852), and
    the statistics of a stream that has not begun.

    The first layer's last len(OUTPUTS) columns are the wide part: they go straight to the logits. It starts
    as a factorization machine: products and biases enter each logit with weight one, all else with zero. The
    user tower's last layer starts at zero, so an untrained tower answers the mean of the history.
    """
    draws = np.random.default_rng(settings.seed)
    layout = input_layout(settings)
    vectors = {slot: dimension - 1 for slot, dimension in layout.dimensions.items()}
    products = 2 * vectors[CONTENT_SLOT] + vectors[CATEGORY_SLOT]

    def drawn(rows: int, columns: int, fan_in: int) -> FloatArray:
        weight: FloatArray = draws.standard_normal((rows, columns)).astype(np.float32)
        return weight * np.float32(np.sqrt(2 / fan_in))

    def constant(rows: int, columns: int, value: float) -> FloatArray:
        return np.full((rows, columns), value, dtype=np.float32)

    def first_layer(rows: int, ones: slice | list[int]) -> FloatArray:
        fan_in = layout.shared_width + layout.own_width + products
        wide = constant(rows, len(OUTPUTS), 0)
        wide[ones] = 1
        return np.concatenate([drawn(rows, settings.hidden[0], fan_in), wide], axis=1)

    priors = np.array([[HEAD_PRIORS[head] for head in OUTPUTS]])
    output_bias = np.log(priors / (1 - priors)).astype(np.float32)
    weights = {
        "first.shared": first_layer(
            layout.shared_width, layout.bias_columns(SHARED_ID_FEATURES + SHARED_BAG_FEATURES)
        ),
        "first.own": first_layer(
            layout.own_width, layout.bias_columns(CONTENT_ID_FEATURES + CONTENT_BAG_FEATURES)
        ),
        "first.products": first_layer(products, slice(None)),
        "first.bias": np.concatenate([constant(1, settings.hidden[0], 0), output_bias], axis=1),
    }
    for layer, (rows, columns) in enumerate(zip(settings.hidden, settings.hidden[1:], strict=False), start=1):
        weights[f"hidden{layer}.weight"] = drawn(rows, columns, rows)
        weights[f"hidden{layer}.bias"] = constant(1, columns, 0)
    weights["output.weight"] = drawn(settings.hidden[-1], len(OUTPUTS), settings.hidden[-1]) * np.float32(0.1)
    hidden = settings.user_tower_hidden
    user_width = layout.dimensions[USER_SLOT] + layout.dimensions[CATEGORY_SLOT]
    fan_in = settings.retrieval_dimension + user_width
    return weights | {
        "tower.history": drawn(settings.retrieval_dimension, hidden, fan_in),
        "tower.shared": drawn(user_width, hidden, fan_in),
        "tower.bias": constant(1, hidden, 0),
        "tower.output": constant(hidden, settings.retrieval_dimension, 0),
        **initial_statistics(settings.scaling),
        **initial_document_counts(),
    }


def score(dense: Mapping[str, Array], inputs: ModelInputs, operations: Operations = NUMPY) -> Array:
    """Return one logit per row and output, [n, len(OUTPUTS)]. dense: the weights, in the inputs' library."""
    products = operations.concatenate(
        [inputs.user * inputs.content, inputs.history * inputs.content, inputs.taste * inputs.category]
    )
    # Large sums are made in place: a temporary array a step would cost as much as a product.
    first = operations.added(inputs.own @ dense["first.own"], products @ dense["first.products"])
    first = operations.added(first, inputs.shared @ dense["first.shared"] + dense["first.bias"])
    hidden = operations.rectified(first[:, : -len(OUTPUTS)])
    layer = 1
    while f"hidden{layer}.weight" in dense:
        hidden = operations.added(hidden @ dense[f"hidden{layer}.weight"], dense[f"hidden{layer}.bias"])
        hidden = operations.rectified(hidden)
        layer += 1
    return hidden @ dense["output.weight"] + first[:, -len(OUTPUTS) :]
