"""What a person has told about themselves, as it comes in and goes out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from messages.events import Identifier

Word = Annotated[str, Field(max_length=100)]


class Demographics(BaseModel):
    """What is known of the person as a member of groups; coarse values learn better and say less."""

    model_config = ConfigDict(extra="forbid")

    age_group: Word | None = None
    location: Word | None = None
    language: Word | None = None


class Preferences(BaseModel):
    """What the person said they want to see: where a newcomer's first feed comes from."""

    model_config = ConfigDict(extra="forbid")

    categories: Annotated[list[Identifier], Field(max_length=50)] = []
    creators_followed: Annotated[list[Identifier], Field(max_length=500)] = []
