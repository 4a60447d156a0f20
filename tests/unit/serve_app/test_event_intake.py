"""A batch of events: what is wrong with one does not keep the others out."""

from __future__ import annotations

import asyncio
from typing import Any

from messages.content import ContentFacts
from messages.identifiers import IdClash, IdClashError
from serve_app.event_intake import EventIntake
from serve_app.serving_metrics import ServingMetrics
from tests.fakes import FakeCatalogue, FakeFeedPublisher


class CatalogueWithClash(FakeCatalogue):
    async def put_many(self, contents: list[ContentFacts]) -> None:
        if any(facts.content_id == "dog" for facts in contents):
            raise IdClashError([IdClash("content", "dog", "cat")])
        await super().put_many(contents)


def upload(content_id: str) -> dict[str, Any]:
    return {"event_type": "content_upload", "content_id": content_id, "creator_id": "ann", "timestamp": 1.0}


def test_an_upload_whose_key_another_content_has_is_refused_alone() -> None:
    catalogue, publisher = CatalogueWithClash(), FakeFeedPublisher(num_partitions=4)
    intake = EventIntake(catalogue, publisher, ServingMetrics())
    answer = asyncio.run(intake.accept([upload("mouse"), {"event_type": "nothing"}, upload("dog")]))
    assert answer.accepted == 1
    assert sorted(answer.refused) == [1, 2]
    assert answer.refused[2].field == "content_id"
    assert "'cat'" in str(answer.refused[2])
    assert list(catalogue.contents) == ["mouse"]
