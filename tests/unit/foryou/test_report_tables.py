"""Reports in a terminal: values a line each, what has the same names side by side."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from foryou.report_tables import tables_of


def shown(report: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    for table in tables_of(report, "Title"):
        console.print(table)
    output: io.StringIO = console.file  # type: ignore[assignment]
    return [" ".join(line.replace("│", " ").split()) for line in output.getvalue().splitlines()]


def test_values_stand_a_line_each() -> None:
    assert {"people 1200", "share 0.1235", "plot a.png", "none"} <= set(
        shown({"people": 1200, "share": 0.12345, "plot": "a.png", "none": None})
    )


def test_maps_by_the_same_names_share_a_table_and_intervals_stand_with_their_values() -> None:
    lines = shown(
        {
            "gap": {"random": 0.0, "online": 0.5},
            "gap_interval": {"random": [None, None], "online": [0.4, 0.6]},
            "watched": {"random": 3, "online": None},
        }
    )
    assert "┃ ┃ random ┃ online ┃" in lines
    assert "gap 0 0.5" in lines
    assert "0.4 to 0.6" in lines
    assert "watched 3" in lines
    assert not any("interval" in line for line in lines)


def test_what_there_is_less_of_becomes_the_columns_and_what_nothing_is_known_of_is_left_out() -> None:
    lines = shown({"watch_minutes": {"a": 1, "b": 2}, "lost": {"a": None, "b": None}})
    assert {"┃ ┃ watch minutes ┃", "a 1", "b 2"} <= set(lines)
    assert not any("lost" in line for line in lines)


def test_maps_of_maps_have_a_column_for_each_outer_name() -> None:
    lines = shown({"models": {"ours": {"auc": 0.75, "map": None}, "popular": {"auc": 0.5, "mrr": 0.25}}})
    assert {"┃ ┃ ours ┃ popular ┃", "auc 0.75 0.5", "mrr 0.25"} <= set(lines)


def test_lists_of_maps_have_a_line_for_each_map() -> None:
    lines = shown({"steps": [{"people": 5, "slate": ["a", "b"]}, {"people": 10, "failures": 0.5}]})
    assert {"┃ people ┃ slate ┃ failures ┃", "5 a, b", "10 0.5"} <= set(lines)


def test_what_fits_no_table_is_written_as_it_is() -> None:
    assert "places {'a': {'b': {'c': 1}}}" in shown({"places": {"a": {"b": {"c": 1}}}})
    assert "[red] [/red]" in shown({"[red]": "[/red]"})
