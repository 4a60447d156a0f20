"""What the training loss is made of; importing it does not import torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from learners.learning_guard import LearningGuardSettings
from learners.ranking_model import RankingModelSettings
from messages.examples import HEADS, OUTPUTS, WATCH_TIME


class TrainingSettings(BaseModel):
    """Weights of the parts of the loss, and bounds on gradients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: RankingModelSettings = RankingModelSettings()
    guard: LearningGuardSettings = LearningGuardSettings()
    head_weights: dict[str, float] = dict.fromkeys(HEADS, 1.0) | {WATCH_TIME: 0.2}
    """A head that is not named is not trained. The watch time's loss is as large as a few heads' together."""
    retrieval_weight: float = Field(default=1.0, ge=0)
    retrieval_scale: float = Field(default=5.0, gt=0)
    """Inner products times this are the logits of the retrieval softmax: an inverse temperature."""
    comment_weight: float = Field(default=0.1, ge=0)
    """Of the pull of a comment's words on its content's retrieval row (`learners/comment_texts.py`)."""
    skip_keep_rate: float = Field(default=1.0, gt=0, le=1)
    """Share of the skips that are trained on (`learners/skip_sampling.py`); 1 where they can be afforded."""
    row_gradient_clip: float = Field(default=5.0, gt=0)
    """Longest gradient of one embedding row."""
    dense_gradient_clip: float = Field(default=5.0, gt=0)
    """Longest gradient of all dense weights together."""

    @field_validator("head_weights")
    @classmethod
    def _known_heads(cls, weights: dict[str, float]) -> dict[str, float]:
        if unknown := set(weights) - set(OUTPUTS):
            raise ValueError(f"no such heads: {sorted(unknown)}")
        return weights
