"""Reports as tables for a terminal: what is one value a line, and what belongs side by side in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

_INTERVAL = "_interval"


def tables_of(report: Mapping[str, Any], title: str) -> list[Table]:
    """Lay a report out.

    Values go into the first table, a line each. Maps of values by the same names (of policies, say) share one
    table, and `X_interval` stands in the cells of `X`; maps of maps and lists of maps get a table of their
    own. What there is less of becomes the columns, and what nothing is known of is left out.
    """
    flat: dict[str, Any] = {}
    by_names: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    own: list[Table] = []
    for key, value in report.items():
        if _is_map_of(value, _is_cell):
            by_names.setdefault(tuple(value), {})[key] = value
        elif _is_map_of(value, lambda inner: _is_map_of(inner, _is_cell)):
            own.append(_side_by_side(key, tuple(value), _turned(value)))
        elif isinstance(value, list) and value and all(_is_map_of(row, _is_cell) for row in value):
            own.append(_list_of(key, value))
        else:
            flat[key] = value
    shared = [_side_by_side("", names, rows) for names, rows in by_names.items()]
    return ([_lines_of(flat, title)] if flat else []) + shared + own


def _is_cell(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return not any(isinstance(inner, Mapping | list | tuple) for inner in value)
    return not isinstance(value, Mapping)


def _is_map_of(value: Any, is_inner: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(map(is_inner, value.values()))


def _turned(value: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    rows = dict.fromkeys(row for inner in value.values() for row in inner)
    return {row: {name: inner.get(row) for name, inner in value.items()} for row in rows}


def _lines_of(flat: Mapping[str, Any], title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in flat.items():
        table.add_row(escape(key), _cell(value))
    return table


def _side_by_side(title: str, names: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> Table:
    cells: dict[str, list[str]] = {}
    for row, values in rows.items():
        if row.endswith(_INTERVAL) and row.removesuffix(_INTERVAL) in rows:
            continue
        intervals = rows.get(f"{row}{_INTERVAL}", {})
        found = [_with_interval(values.get(name), intervals.get(name)) for name in names]
        if any(found):
            cells[row.replace("_", " ")] = found
    if len(names) <= len(cells):
        return _grid(title, names, cells)
    turned = zip(*cells.values(), strict=True)
    return _grid(title, list(cells), dict(zip(names, turned, strict=True)))


def _grid(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for column in ("", *columns):
        table.add_column(escape(column), overflow="fold")
    for name, cells in rows.items():
        table.add_row(escape(name), *cells)
    return table


def _list_of(title: str, rows: list[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=escape(title), title_justify="left")
    for column in columns:
        table.add_column(escape(column.replace("_", " ")), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def _with_interval(value: Any, interval: Any) -> str:
    if not interval or None in interval:
        return _cell(value)
    return f"{_cell(value)}\n{_cell(interval[0])} to {_cell(interval[1])}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return f"{value:,.4g}" if isinstance(value, float) else escape(str(value))
