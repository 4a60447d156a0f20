"""What may be said of one slot's rows in the settings, besides their number of columns and their rate.

The parameter server checks and uses it (`parameter_server.settings.SlotSettings`, where each is explained).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowAdmission(_Settings):
    """When a new id gets a row: after so many occurrences, each of which then counts with a probability."""

    min_count: Annotated[int, Field(ge=1, lt=1 << 32)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_candidates: Annotated[int, Field(ge=256)] = 1 << 20


class TableSettings(_Settings):
    """None, and what is left out, leaves a table as it is by default: every id at once, for ever, Adagrad."""

    optimizer: Literal["sgd", "adagrad", "rowwise_adagrad", "adam", "ftrl"] = "adagrad"
    initial_scale: _NonNegative = 0.01
    decay_gamma: _NonNegative = 0.0
    floor: _NonNegative = 0.0
    l1: _NonNegative = 0.0
    l2: _NonNegative = 0.0
    clip: _Positive | None = None
    admission: RowAdmission = RowAdmission()
    expire_after_seconds: _Positive | None = None
    max_rows: Annotated[int, Field(ge=1, lt=1 << 32)] | None = None
