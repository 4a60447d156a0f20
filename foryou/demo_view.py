"""What a demo looks like in a terminal while it runs."""

from __future__ import annotations

import math

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulations.demo_measurements import EngagementSeries
from simulations.demo_results import DemoProgress

_ARMS = {
    "online": ("foryou, learning", "bold green"),
    "frozen": ("the same, learner off", "yellow"),
    "popular": ("popularity feed", "cyan"),
    "random": ("random feed", "white"),
}
_BARS = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 40
_BOTTOM, _TOP = 0.2, 0.8
"""The shares of viewed impressions at which a bar is empty, and full."""


def draw_progress(progress: DemoProgress, base_url: str) -> RenderableType:
    """Return the view of one moment: a line of facts, then each arm with its curve so far."""
    if progress.phase == "uploading":
        return Text(f"uploading the catalogue: {progress.contents} contents")
    length = "" if progress.duration is None else f" of {progress.duration:.0f}"
    facts = Text(
        f"{progress.elapsed:5.0f}{length} s   {progress.events:,} events ({progress.events_per_s:,.0f}/s)   "
        f"{progress.people_active} people   model {progress.model_version or '-'}   {base_url}/docs"
    )
    freshness = Text(
        f"an event is in what is served after {_milliseconds(progress.freshness_p50_ms)} "
        f"(p95 {_milliseconds(progress.freshness_p95_ms)})"
        + (f"   {progress.num_failures} requests refused" if progress.num_failures else "")
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("share of contents watched, not skipped", justify="left")
    table.add_column("now", justify="right")
    table.add_column("from the start until now")
    for arm, (label, style) in _ARMS.items():
        if arm in progress.engagement:
            table.add_row(
                Text(label, style=style),
                Text(_percent(progress.engagement[arm]), style=style),
                Text(_spark(progress.history.get(arm)), style=style),
            )
    state = Text("waiting until the last events are learned") if progress.phase == "draining" else Text("")
    return Group(facts, freshness, table, state)


def _milliseconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f} ms"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"


def _spark(series: EngagementSeries | None) -> str:
    """Draw a curve in one line of characters, averaged to at most `_SPARK_WIDTH` of them."""
    if series is None or len(series.shares) == 0:
        return ""
    parts = np.array_split(series.shares, min(_SPARK_WIDTH, len(series.shares)))
    line = ""
    for part in parts:
        known = part[~np.isnan(part)]
        height = (float(known.mean()) - _BOTTOM) / (_TOP - _BOTTOM) if len(known) else 0.0
        level = round(height * (len(_BARS) - 1))
        line += _BARS[min(max(level, 0), len(_BARS) - 1)]
    return line
