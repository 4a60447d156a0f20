"""Nothing is shown to a person twice, however fast they turn pages; their versions never go back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from foryou.system import System

pytestmark = pytest.mark.system
NUM_PAGES = 50
PAGE = 3


async def turn_pages(url: str, user: str, pages_per_s: float | None) -> list[dict[str, Any]]:
    """Ask for a page at this pace, whether the last one has come or not; None: when the last one has come."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def page() -> dict[str, Any]:
            answer = await client.get(f"/v1/feed/{user}", params={"limit": PAGE})
            assert answer.status_code == 200, answer.text
            page: dict[str, Any] = answer.json()
            return page

        if pages_per_s is None:
            return [await page() for _ in range(NUM_PAGES)]
        started, asked = time.monotonic(), []
        for number in range(NUM_PAGES):
            asked.append(asyncio.create_task(page()))
            await asyncio.sleep(max(0.0, started + (number + 1) / pages_per_s - time.monotonic()))
        return await asyncio.gather(*asked)


@pytest.mark.parametrize("pages_per_s", [None, 10.0], ids=["one after another", "ten a second"])
def test_no_content_comes_twice_over_fifty_pages(system: System, pages_per_s: float | None) -> None:
    pages = asyncio.run(turn_pages(system.http_url, f"turns-{pages_per_s}", pages_per_s))

    shown = [item["content_id"] for page in pages for item in page["items"]]
    assert len(shown) == NUM_PAGES * PAGE
    assert len(set(shown)) == len(shown)
    counters = [int(page["model"]["version"].rpartition(".")[2]) for page in pages]
    assert counters == sorted(counters)
