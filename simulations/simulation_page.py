"""The report of a simulation: a page with a table and plots, the PNGs and the numbers beside it."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from simulations.simulation import SimulationResult
from simulations.simulation_plots import save_simulation_plots

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .3rem .8rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr { border-bottom: 1px solid #ddd }
img { max-width: 100%; margin: 1rem 0 } .online td { font-weight: 600 } .quiet { color: #666 }
"""

_COLUMNS: dict[str, tuple[str, str]] = {
    "gap_closed": ("gap closed", ".0%"),
    "engagement": ("engagement", ".1%"),
    "retention": ("retention", ".0%"),
    "sessions": ("sessions", ",.0f"),
    "watch_minutes": ("watch minutes", ",.0f"),
    "recovery_interactions": ("interactions to recover", ",.0f"),
    "recovery_to_online": ("to recover to online's level", ",.0f"),
    "back_after_online": ("there later than online", ".0%"),
    "lost_after_jump": ("lost after a jump", ".1%"),
    "new_good_reached": ("new good at their due", ".0%"),
    "suppressed_regained": ("suppressed regained", ".0%"),
    "bot_effect": ("effect of bots", "+.2%"),
}


def write_simulation_page(result: SimulationResult, folder: Path) -> Path:
    """Write index.html, report.json and the plots; the same result gives the same bytes."""
    plots = save_simulation_plots(result, folder)
    report = result.report()
    (folder / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    pictures = "\n".join(
        f'<img src="{html.escape(name)}" alt="{html.escape(title)}">' for name, title in plots.items()
    )
    preset = result.preset
    page = folder / "index.html"
    page.write_text(
        f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{html.escape(preset.name)}: simulated people</title>
<style>{_STYLE}</style>
<h1>{html.escape(preset.name)}: {html.escape(preset.purpose)}</h1>
<p class="quiet">{preset.world.num_people} people, {preset.hours:g} hours of their world,
{len(result.records)} seed(s). The same people, contents and luck under each feed; {_intervals(result)}.</p>
{_table(report, result.names)}
{pictures}
<h2>The world's parameters</h2>
<pre>{html.escape(json.dumps(preset.model_dump(), indent=1))}</pre>
</html>
"""
    )
    return page


def _intervals(result: SimulationResult) -> str:
    if len(result.records) == 1:
        return "one seed gives no intervals (--seeds 5 does)"
    return "intervals are 95%, over seeds"


def _table(report: dict[str, Any], names: tuple[str, ...]) -> str:
    columns = [key for key in _COLUMNS if key in report]
    head = "".join(f"<th>{_COLUMNS[key][0]}</th>" for key in columns)
    rows = []
    for name in names:
        cells = "".join(f"<td>{_cell(report, key, name)}</td>" for key in columns)
        mark = ' class="online"' if name == "online" else ""
        rows.append(f"<tr{mark}><td>{html.escape(name)}</td>{cells}</tr>")
    return f"<table><tr><th>feed</th>{head}</tr>{''.join(rows)}</table>"


def _cell(report: dict[str, Any], key: str, name: str) -> str:
    mean = report[key].get(name)
    if mean is None:
        return ""
    shape = _COLUMNS[key][1]
    low, high = report[f"{key}_interval"][name]
    return format(mean, shape) + ("" if low is None else f" ({format(low, shape)} to {format(high, shape)})")
