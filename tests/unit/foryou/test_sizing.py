"""The arithmetic of docs/scaling.md, and that the page says what it gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foryou.sizing import Costs, People, size_for, table_of

PAGE = Path(__file__).parents[3] / "docs" / "scaling.md"


def figures(lines: list[str]) -> dict[str, list[float]]:
    """Read a table's rows, by their names."""
    rows = [
        line.strip("| ").split(" | ") for line in lines if re.fullmatch(r"\| [\w ]+( \| [\d,.]+){3} \|", line)
    ]
    return {name: [float(value.replace(",", "")) for value in values] for name, *values in rows}


def test_the_page_holds_what_the_arithmetic_gives_nearly() -> None:
    people = [(1_000_000, 1_000_000), (10_000_000, 10_000_000), (100_000_000, 50_000_000)]
    sizes = [size_for(People(daily=daily, contents=contents)) for daily, contents in people]
    given = figures(table_of(sizes))
    written = figures(PAGE.read_text().splitlines())
    assert written.keys() == given.keys()
    for name, values in given.items():
        assert written[name] == pytest.approx(values, rel=0.1, abs=0.1), name


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
