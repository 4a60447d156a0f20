"""What serving needs of the world outside: store, catalogue, broker, model actor.

`actors/` has the real ones, `tests/fakes.py` those of the tests. Where the other side is away or full they
raise ConnectionError or TimeoutError (or what the application names besides): clients then get a 503.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from messages.arrays import IdArray
from messages.content import ContentFacts
from messages.impressions import Impression
from messages.stored_user import StoredUser
from messages.updates import ModelDelta


class UserStore(Protocol):
    """`actors.user_store.UserStore`."""

    async def load(self, user_id: str, groups: Sequence[str]) -> StoredUser:
        """Read everything of one person in one round trip; groups: whose own rows (the models in play)."""
        ...

    async def add_served(self, user_id: str, keys: IdArray, group: str, counter: int) -> None:
        """Remember contents as shown, and by which version of which model's rows; done when it returns."""
        ...

    async def put_profile(self, user_id: str, profile: dict[str, Any]) -> None: ...


class Catalogue(Protocol):
    """`actors.catalogue.Catalogue`."""

    async def put(self, content: ContentFacts) -> None: ...

    async def put_many(self, contents: list[ContentFacts]) -> None: ...

    async def get(self, content_id: str) -> ContentFacts | None: ...

    async def remove(self, content_id: str) -> bool:
        """Take a content out of every feed; says whether it was there."""
        ...

    async def removed(self) -> list[str]:
        """Return the contents that were removed last and not put again."""
        ...


class StoredWeights(Protocol):
    """`actors.weight_store.StoredWeights`. changed_at: epoch seconds."""

    @property
    def table(self) -> Mapping[str, float]: ...

    @property
    def revision(self) -> int: ...

    @property
    def changed_at(self) -> float: ...


class WeightStore(Protocol):
    """`actors.weight_store.WeightStore`."""

    async def read(self) -> StoredWeights | None:
        """Return the table that was set last; None where nobody has set one."""
        ...

    async def write(self, table: Mapping[str, float], expected_revision: int | None) -> StoredWeights:
        """Set a table, made from a revision of it; the application names the error of a conflict."""
        ...


class FeedPublisher(Protocol):
    """`actors.feed_publisher.FeedPublisher`. Both calls return once the broker has acknowledged."""

    async def publish_events(self, events: list[dict[str, Any]]) -> dict[int, int]:
        """Publish wire maps; returns partition -> FEED sequence of the last message there."""
        ...

    async def publish_impression(self, impression: Impression) -> int:
        """Publish one slate; returns its FEED sequence."""
        ...


class ModelChanges(Protocol):
    """`actors.model_actor`, from a replica's side."""

    async def changes_after(self, counter: int, timeout_s: float) -> list[ModelDelta]:
        """Wait up to `timeout_s` for deltas after a version; [] if there are none, one full delta at a
        gap."""
        ...
