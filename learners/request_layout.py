"""Where everything stands that is looked up for the candidates of one request: computed once a model."""

from __future__ import annotations

import numpy as np

from learners.features.schema import (
    BAG_FEATURES,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    CONTEXT_SLOT,
    ID_FEATURES,
    NUM_USER_DENSE,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
)
from learners.model_inputs import InputLayout
from messages.arrays import IntArray

KINDS: tuple[tuple[str, ...], ...] = (
    ("category", "surface_category"),
    ("duration_bucket", "surface_duration"),
    ("content_language",),
)
"""Content features that are functions of something of which a request has few values: category, duration in
buckets, language."""

CATEGORY_KIND = 0
MOMENT_FEATURES = tuple(name for name in SHARED_ID_FEATURES if ID_FEATURES[name] == CONTEXT_SLOT)
"""They stand side by side, and are looked up together."""

_OF_KINDS = {feature for kind in KINDS for feature in kind}
_SINGLE_FEATURES = tuple(name for name in CONTENT_ID_FEATURES if name not in _OF_KINDS)


class RequestLayout:
    """The columns of `RequestInputs`.

    singles: slot, keys in `ContentColumns` and column in `own` of each feature with one id a content. bags:
    slot, feature and column of each with several ids. shared_bags: slot, feature and column in `shared`.
    own_columns: those columns of `ModelInputs.own` that stand in `own`, in their order there. user: the
    columns of the person's row in `shared`. moment, person_numbers: from where on the moment's rows and the
    person's numbers stand there. numbers: from where on the others stand in `own`.
    """

    def __init__(self, layout: InputLayout) -> None:
        rows, dimensions = layout.row_columns, layout.dimensions
        self.singles: list[tuple[str, str, int]] = []
        self.bags: list[tuple[str, str, int]] = []
        column = 0
        for feature in _SINGLE_FEATURES:
            self.singles.append((ID_FEATURES[feature], f"{feature}_keys", column))
            column += dimensions[ID_FEATURES[feature]]
        for feature in CONTENT_BAG_FEATURES:
            self.bags.append((BAG_FEATURES[feature], feature, column))
            column += dimensions[BAG_FEATURES[feature]]
        self.numbers = column
        self.own_columns = _own_columns(layout)
        self.own_width = len(self.own_columns)
        self.shared_bags = [
            (BAG_FEATURES[feature], feature, rows(feature).start) for feature in SHARED_BAG_FEATURES
        ]
        self.user = rows("user")
        self.moment = rows(MOMENT_FEATURES[0]).start
        self.shared_width = layout.shared_width
        self.person_numbers = layout.shared_width - NUM_USER_DENSE
        self.category_width = dimensions[CATEGORY_SLOT]


def _own_columns(layout: InputLayout) -> IntArray:
    """Return which columns of `ModelInputs.own` stand in `RequestInputs.own`, in their order there."""
    rows = [layout.row_columns(feature) for feature in _SINGLE_FEATURES + CONTENT_BAG_FEATURES]
    numbers = slice(layout.row_columns(CONTENT_BAG_FEATURES[-1]).stop, layout.own_width)
    return np.concatenate([np.arange(part.start, part.stop) for part in [*rows, numbers]])
