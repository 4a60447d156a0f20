"""What was deployed, when, with which settings and code: kept in the store, so that a cluster can go back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from actors.names import Namespace
from foryou.settings import SystemSettings

_PACKAGES = (
    "messages", "parameter_server", "learners", "monitoring", "actors", "serve_app", "simulations", "foryou",
)  # fmt: skip
_KEPT = 50


class Deployment(BaseModel):
    """number: from 1. settings: without the services' URLs, which hold secrets. code: see `code_digest`.

    actors: of the plan by which the actors were started; another one means to start them anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    created_at: float
    settings: dict[str, Any]
    code: str
    actors: str
    rolled_back_to: int | None = None


class DeploymentLog:
    """The deployments of one namespace, the newest last."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._key = namespace.key("deployments")

    async def read(self) -> list[Deployment]:
        return [Deployment.model_validate_json(text) for text in await self._redis.lrange(self._key, 0, -1)]

    async def append(self, deployment: Deployment) -> None:
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.rpush(self._key, deployment.model_dump_json())
            transaction.ltrim(self._key, -_KEPT, -1)
            await transaction.execute()


def settings_to_keep(settings: SystemSettings) -> dict[str, Any]:
    """Return settings as they are kept: URLs hold passwords and stay where they came from."""
    kept = settings.model_dump(mode="json")
    for name in ("nats_url", "store_url"):
        kept["services"].pop(name)
    return kept


def kept_settings(kept: dict[str, Any], present: SystemSettings) -> SystemSettings:
    """Return kept settings with the present services. Raises pydantic's ValidationError for an old layout."""
    services = kept["services"] | {
        "nats_url": present.services.nats_url,
        "store_url": present.services.store_url,
    }
    return SystemSettings.model_validate(kept | {"services": services})


def code_digest(root: Path | None = None) -> str:
    """Return what names the code that is installed here: of all modules' names and texts."""
    root = root or Path(__file__).parents[1]
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
