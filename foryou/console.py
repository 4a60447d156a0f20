"""How commands talk: progress on stderr, results on stdout, and with --json one object as the last line."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.console import Console

from foryou.report_tables import tables_of

progress_console = Console(stderr=True, highlight=False)
"""Where long work says how far it is; a pipe that reads the result does not see it."""

result_console = Console(highlight=False)


def print_report(report: dict[str, Any], title: str, *, as_json: bool) -> None:
    """Show a report as tables, or as one line of JSON, which has null where a number is not finite."""
    if as_json:
        print(json.dumps(_finite(report), default=str), flush=True)
        return
    for table in tables_of(report, title):
        result_console.print(table)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
