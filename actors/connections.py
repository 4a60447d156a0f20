"""One process's connections to the broker and the store."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from actors.names import LIVE_NAMESPACE, Namespace
from actors.streams import connect
from actors.user_store import connect_store
from messages.identifiers import DEFAULT_NUM_PARTITIONS


class EndpointSettings(BaseModel):
    """Where the broker and the store are, and which namespace of them is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nats_url: str
    store_url: str
    namespace: str = LIVE_NAMESPACE
    num_partitions: int = DEFAULT_NUM_PARTITIONS


@dataclass(slots=True)
class Connections:
    """Open both with `async with Connections.open(...)`; both reconnect by themselves."""

    nats: Client
    js: JetStreamContext
    redis: Redis
    namespace: Namespace
    num_partitions: int

    @classmethod
    async def open(
        cls, endpoints: EndpointSettings, name: str, *, patient_store: bool = False
    ) -> Connections:
        """patient_store: see `connect_store`."""
        client = await connect(endpoints.nats_url, name)
        return cls(
            nats=client,
            js=client.jetstream(timeout=5, publish_async_max_pending=4000),
            redis=connect_store(endpoints.store_url, patient=patient_store),
            namespace=Namespace(endpoints.namespace),
            num_partitions=endpoints.num_partitions,
        )

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.nats.close()
        await self.redis.aclose()
