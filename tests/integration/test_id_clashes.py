"""Two ids with one key: seen when the second comes, told to who brings it, and the first loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors import id_ledger
from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.user_store import PartitionStates
from messages.content import ContentFacts
from messages.identifiers import IdClashError


@pytest.fixture(autouse=True)
def keys_that_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real keys clash in one of 370,000 catalogues of ten million: here ids of one length do."""
    monkeypatch.setattr(id_ledger, "key_of", len)


def run(endpoints: EndpointSettings, test: Callable[[Connections], Awaitable[None]]) -> None:
    async def connected() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            await test(connections)

    asyncio.run(connected())


def content(content_id: str, creator_id: str) -> ContentFacts:
    return ContentFacts.from_upload(
        {"content_id": content_id, "creator_id": creator_id, "timestamp": 1.0, "metadata": {}}
    )


def test_a_content_whose_key_another_has_is_refused_with_both_names(endpoints: EndpointSettings) -> None:
    async def test(connections: Connections) -> None:
        catalogue = Catalogue(connections.redis, connections.namespace)
        await catalogue.put(content("cat", "ann"))
        await catalogue.put(content("cat", "ann"))  # the same again is no clash
        with pytest.raises(IdClashError, match="content id 'dog' has the same 64-bit key as 'cat'"):
            await catalogue.put_many([content("mouse", "ann"), content("dog", "ann")])
        assert await catalogue.get("mouse") is None
        with pytest.raises(IdClashError, match=r"creator id 'bob' .* 'ann'"):
            await catalogue.put(content("mouse", "bob"))
        await catalogue.put(content("mouse", "ann"))
        assert await catalogue.size() == 2

    run(endpoints, test)


def test_a_person_whose_key_another_has_is_counted(endpoints: EndpointSettings) -> None:
    async def test(connections: Connections) -> None:
        states = PartitionStates(connections.redis, connections.namespace, 0)
        await states.read_position()
        await states.load(["ann"])
        await states.store({"ann": (b"state", b"join")}, 1)
        await states.load(["ann", "anna"])
        assert states.num_clashes == 0
        await states.load(["bob"])
        assert states.num_clashes == 1

    run(endpoints, test)
