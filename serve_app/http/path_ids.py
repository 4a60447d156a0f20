"""Ids as they stand in paths; they may hold slashes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from messages.events import MAX_ID_LENGTH

UserId = Annotated[
    str, Path(min_length=1, max_length=MAX_ID_LENGTH, description="The person, by the caller's own id.")
]
ContentId = Annotated[
    str, Path(min_length=1, max_length=MAX_ID_LENGTH, description="The content, by the caller's own id.")
]
