"""Answers as prepared bytes, and errors in one form: {"detail": [{"field", "reason"}]}."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

JSON = "application/json"


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Encode once, in pydantic's own encoder: no response model walks over the rows. NaN becomes null."""
    encoded = to_json(body, inf_nan_mode="null")
    return Response(encoded, status, headers, media_type=JSON)


def finite(value: Any) -> Any:
    """Return plain values with None where a number is not finite, which JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def problem(status: int, field: str, reason: str, headers: dict[str, str] | None = None) -> Response:
    return json_answer({"detail": [{"field": field, "reason": reason}]}, status, headers)


def invalid_request(_request: Request, error: Exception) -> Response:
    """Answer 422 for a path, query or body that FastAPI refused."""
    assert isinstance(error, RequestValidationError)
    detail = [{"field": field_of(part["loc"]), "reason": part["msg"]} for part in error.errors()]
    return json_answer({"detail": detail}, 422)


def refused(_request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses (no such path, a body that is no text) in the same form."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, "", str(error.detail), dict(error.headers or {}))


def field_of(location: Sequence[int | str]) -> str:
    """Name a field as a client knows it: without where FastAPI or pydantic looked for it."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in ("body", "path", "query", "header"):
        parts = parts[1:]
    return ".".join(parts)
