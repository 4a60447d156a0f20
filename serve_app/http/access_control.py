"""API keys and how often each may call: ASGI middleware over two small rules that know no HTTP."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from enum import IntEnum

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.access_settings import AccessSettings
from serve_app.http.json_answers import problem

OPEN_PATHS = frozenset({"/v1/health", "/docs", "/openapi.json"})
"""What load balancers and people with a browser ask for before they have a key."""

ADMIN_PREFIXES = ("/v1/weights", "/v1/models", "/v1/experiments", "/v1/operations")
"""What changes how everybody is served: anything but reading needs an operator."""


class Role(IntEnum):
    """Who calls; a higher role may do all that a lower one may."""

    ANYBODY = 0
    CLIENT = 1
    ADMIN = 2


def role_needed(method: str, path: str, *, keys_asked: bool) -> Role:
    """Say who may make a call. keys_asked: clients need a key, too."""
    if path in OPEN_PATHS:
        return Role.ANYBODY
    is_operation = path.startswith(ADMIN_PREFIXES) and method not in ("GET", "HEAD", "OPTIONS")
    if method == "DELETE" or is_operation:
        return Role.ADMIN
    return Role.CLIENT if keys_asked else Role.ANYBODY


class CallBudget:
    """A token bucket for each key: `burst` at once, then `calls_per_second`."""

    def __init__(self, calls_per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = calls_per_second
        self._burst = float(burst)
        self._clock = clock
        self._tokens: dict[bytes, tuple[float, float]] = {}

    def take(self, key: bytes) -> float:
        """Take one call of a key; returns 0, or after how many seconds the next may come."""
        now = self._clock()
        tokens, since = self._tokens.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if tokens < 1:
            self._tokens[key] = (tokens, now)
            return (1 - tokens) / self._rate
        self._tokens[key] = (tokens - 1, now)
        return 0.0


class AccessControl:
    """Answers 401 without a known key, 403 where the key may not do this, 429 where it calls too often.

    Keys come as `Authorization: Bearer KEY` or `X-API-Key: KEY` and are looked up by their hash, which takes
    the same time whatever they share with a real one.
    """

    def __init__(
        self, app: ASGIApp, settings: AccessSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._settings = settings
        self._roles = {_hash(key.get_secret_value().encode()): Role.CLIENT for key in settings.client_keys}
        self._roles |= {_hash(key.get_secret_value().encode()): Role.ADMIN for key in settings.admin_keys}
        limited = settings.calls_per_second > 0 and not settings.is_loopback
        self._budget = CallBudget(settings.calls_per_second, settings.burst, clock) if limited else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, reason, headers = refusal
        await problem(status, "key", reason, headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        settings = self._settings
        needed = role_needed(scope["method"], scope["path"], keys_asked=bool(settings.client_keys))
        key = _key_of(scope)
        role = self._roles.get(_hash(key), Role.ANYBODY) if key else Role.ANYBODY
        if needed is Role.ADMIN and not settings.admin_keys:
            if not settings.is_loopback:
                return (
                    403,
                    "operators' calls need a key beyond this machine: set feed.api.access.admin_keys",
                    {},
                )
            needed = Role.CLIENT if settings.client_keys else Role.ANYBODY
        if role < needed:
            if role is Role.ANYBODY:
                reason = "send a known key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
                return 401, reason, {"WWW-Authenticate": "Bearer"}
            return 403, "this needs an operator's key", {}
        if self._budget is not None and role is not Role.ANYBODY:
            seconds = self._budget.take(_hash(key))
            if seconds:
                reason = f"this key may call {settings.calls_per_second:g} times a second"
                return 429, reason, {"Retry-After": str(math.ceil(seconds))}
        return None


def _key_of(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return bytes(value)
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
    return b""


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
