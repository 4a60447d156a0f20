"""A wait for news ends with the first place that has some, and asks no place twice at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from actors import awaited_news
from actors.awaited_news import AwaitedNews, until_set

LONG_SECONDS = 60.0


class Place:
    """Has news once told so; counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told = asyncio.Event()
        self.num_asked = 0
        self._error = error

    async def wait(self, seconds: float) -> bool:
        self.num_asked += 1
        if self._error is not None:
            raise self._error
        return await until_set(self.told)(seconds)


def test_the_first_place_with_news_ends_the_wait_and_the_others_stay_asked() -> None:
    async def run() -> None:
        news, first, second = AwaitedNews(), Place(), Place()
        places = {"first": first.wait, "second": second.wait}
        first.told.set()
        await news.wait(places, LONG_SECONDS)
        first.told.clear()
        second.told.set()
        await news.wait(places, LONG_SECONDS)
        assert (first.num_asked, second.num_asked) == (2, 1)
        news.close()

    asyncio.run(run())


def test_the_wait_ends_when_its_time_is_over_though_nothing_happened() -> None:
    async def run() -> None:
        news, place = AwaitedNews(), Place()
        await news.wait({"place": place.wait}, 0.01)
        await news.wait({"place": place.wait}, 0.0)
        assert place.num_asked == 1
        news.close()

    asyncio.run(run())


def test_a_place_whose_patience_is_over_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaited_news, "_QUESTION_SECONDS", 0.005)

    async def run() -> None:
        news, place = AwaitedNews(), Place()

        async def wait(seconds: float) -> bool:
            if place.num_asked == 3:
                place.told.set()
            return await place.wait(seconds)

        await news.wait({"place": wait}, LONG_SECONDS)
        assert place.num_asked == 4
        news.close()

    asyncio.run(run())


def test_a_place_that_cannot_be_asked_or_does_not_answer_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(awaited_news, "_QUESTION_SECONDS", 0.005)
    monkeypatch.setattr(awaited_news, "_ANSWER_SECONDS", 0.005)

    async def hang(seconds: float) -> bool:
        await asyncio.Event().wait()
        return False

    async def run() -> None:
        news = AwaitedNews()
        await news.wait({"away": Place(ConnectionError("away")).wait, "idle": Place().wait}, LONG_SECONDS)
        await news.wait({"hangs": hang}, LONG_SECONDS)
        news.close()

    asyncio.run(run())


def test_another_thread_ends_the_wait_that_goes_on_or_the_next_one() -> None:
    async def run() -> None:
        news, place = AwaitedNews(), Place()
        for _ in range(2):
            threading.Thread(target=news.interrupt).start()
            await news.wait({"place": place.wait}, LONG_SECONDS)
        assert place.num_asked == 1
        news.close()

    asyncio.run(run())


def test_a_place_that_is_gone_is_waited_for_no_more() -> None:
    async def run() -> None:
        news, gone, place = AwaitedNews(), Place(), Place()
        await news.wait({"gone": gone.wait}, 0.01)
        gone.told.set()
        place.told.set()
        await news.wait({"place": place.wait}, LONG_SECONDS)
        assert (gone.num_asked, place.num_asked) == (1, 1)
        news.close()
        news.interrupt()

    asyncio.run(run())
