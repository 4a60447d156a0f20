"""The arithmetic of docs/scaling.md, and that the page says what it gives."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from foryou.sizing import Costs, People, size_for, table_of

PAGE = Path(__file__).parents[3] / "docs" / "scaling.md"


def test_the_page_holds_the_table_that_the_arithmetic_gives() -> None:
    people = [(1_000_000, 1_000_000), (10_000_000, 10_000_000), (100_000_000, 50_000_000)]
    sizes = [size_for(People(daily=daily, contents=contents)) for daily, contents in people]
    assert "\n".join(table_of(sizes)) in PAGE.read_text()


def test_rates_are_those_of_the_peak() -> None:
    size = size_for(
        People(daily=86_400, feeds=10, contents_per_feed=5, events_per_content=2, peak=1), Costs(load=1)
    )
    assert size.feeds_per_second == 10
    assert size.events_per_second == 100
    assert (size.learning_cores, size.replicas, size.shards) == (1, 2, 2)


@given(st.integers(1, 10**8), st.integers(1, 10**8), st.integers(2, 10))
def test_more_people_never_need_less(daily: int, contents: int, times: int) -> None:
    small = size_for(People(daily=daily, contents=contents)).model_dump()
    large = size_for(People(daily=daily * times, contents=contents * times)).model_dump()
    assert all(large[name] >= small[name] for name in small)


def test_what_is_beyond_one_of_a_part_is_named() -> None:
    assert size_for(People(daily=10_000, contents=10_000)).saturated() == []
    assert "one NATS cluster" in size_for(People(daily=100_000_000)).saturated()
    assert size_for(People(contents=50_000_000)).saturated()[0].startswith("contents beyond")
