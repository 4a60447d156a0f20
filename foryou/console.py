"""How commands talk: progress on stderr, results on stdout, and with --json one object as the last line."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

progress_console = Console(stderr=True, highlight=False)
"""Where long work says how far it is; a pipe that reads the result does not see it."""

result_console = Console(highlight=False)


def print_report(report: dict[str, Any], title: str, *, as_json: bool) -> None:
    """Show a flat report as a table, or as one line of JSON."""
    if as_json:
        print(json.dumps(report, default=str), flush=True)
        return
    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in report.items():
        table.add_row(key, f"{value:,.4g}" if isinstance(value, float) else str(value))
    result_console.print(table)
