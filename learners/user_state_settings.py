"""How long a person's past counts, how much of it is remembered and what each event says of their taste."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

PREFERENCE_WEIGHTS: dict[str, float] = {
    "like": 1.0,
    "comment": 1.0,
    "share": 2.0,
    "save": 1.5,
    "follow": 2.0,
    "replay": 0.5,
    "complete_view": 0.5,
    "skip": -0.5,
    "hide": -2.0,
    "report": -3.0,
    "unfollow": -2.0,
}
"""How much each event moves the preference for its category and creator (specification, section 9.1)."""


class UserStateSettings(BaseModel):
    """Half-lives and session gap in seconds; the rest are numbers of things remembered.

    latest_half_life_seconds: of what is liked lately by category, beside what is liked in the long run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    half_life_seconds: float = Field(default=7 * 86_400.0, gt=0)
    recent_half_life_seconds: float = Field(default=600.0, gt=0)
    latest_half_life_seconds: float = Field(default=3 * 3_600.0, gt=0)
    session_gap_seconds: float = Field(default=1_800.0, gt=0)
    max_history: int = Field(default=32, ge=1)
    max_liked: int = Field(default=32, ge=1)
    max_categories: int = Field(default=64, ge=1)
    max_latest_categories: int = Field(default=16, ge=1)
    max_creators: int = Field(default=64, ge=1)
    max_followed: int = Field(default=512, ge=1)
    max_hidden: int = Field(default=256, ge=1)
    max_blocked: int = Field(default=128, ge=1)


DEFAULT_SETTINGS = UserStateSettings()
