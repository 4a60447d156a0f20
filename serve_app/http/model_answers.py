"""The registry of models as it is answered, for the API's description alone (see `answers`)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ModelChange(BaseModel):
    """One change of the registry."""

    time: float = Field(description="Epoch seconds.")
    by: str
    model_id: str
    what: str
    why: list[str]
    numbers: dict[str, float | None] = Field(description="The evidence.")


class ModelChanges(BaseModel):
    """The oldest first."""

    changes: list[ModelChange]


class ModelView(BaseModel):
    """A model and what it is for. Times are epoch seconds."""

    model_id: str
    stage: str
    pinned: list[str] = Field(description="Kept versions that a rollback may go back to.")
    since: float = Field(description="When it came to this stage.")
    lineage: str
    origin: str = Field(description="Where its weights came from, in words.")
    created: float
    verdict: str | None = Field(description="What the rules say of it now.")
    evidence: dict[str, float | None] | None = Field(description="The numbers behind the verdict.")
    asks: str | None = Field(description="What the rules ask about it, to approve or decline.")


class Models(BaseModel):
    """Every model that is not retired."""

    production: str
    revision: int
    models: list[ModelView]


class Model(ModelView):
    """One model with its settings and its history."""

    is_retired: bool
    training: dict[str, Any] = Field(description="Its training settings, nested as in `foryou.toml`.")
    history: list[ModelChange]
