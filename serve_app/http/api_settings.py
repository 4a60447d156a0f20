"""Bounds of the HTTP API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serve_app.http.access_settings import AccessSettings

Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class ApiSettings(BaseModel):
    """max_body_bytes: of any request. max_events: of one batch. max_limit, default_limit: contents in one
    answer. max_wait_seconds: a replica takes as many requests as it answers within that time, at most
    max_under_way; more are refused with 429.
    retry_after_seconds: what a 503 or a 429 tells clients to wait. access: keys and their rates.
    cors_origins: whose pages may call the API from a browser, as "https://example.com", "*" for all; none by
    default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1_024)
    max_events: int = Field(1_000, ge=1)
    max_limit: int = Field(100, ge=1)
    default_limit: int = Field(20, ge=1)
    max_wait_seconds: float = Field(0.08, gt=0)
    max_under_way: int = Field(96, ge=1)
    retry_after_seconds: int = Field(1, ge=0)
    access: AccessSettings = AccessSettings()
    cors_origins: tuple[Origin, ...] = ()
