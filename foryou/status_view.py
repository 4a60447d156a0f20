"""What `foryou status` and `foryou nodes` show a person: what serves, what it learned, how each part is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def draw_status(status: Mapping[str, Any], http_url: str) -> RenderableType:
    """Return the view of one `/v1/status` answer."""
    model, replica = status["model"], status["replica"]
    ready = Text("ready", style="green") if status["ready"] else Text("not ready", style="red")
    head = Text.assemble(
        f"{http_url}  ",
        ready,
        f"  model {model['id']} {model['version']}, {model['age_seconds']} s old",
        f"  {replica['contents']:,} contents  up {status['uptime_seconds']:,.0f} s",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("part", "", "what it says"):
        table.add_column(heading)
    for role, worker in status["workers"].items():
        state = Text("runs", style="green") if worker["running"] else Text("down", style="red")
        table.add_row(role, state, worker["failure"] or _facts(role, worker))
    problems = [Text(f"! {text}", style="yellow") for text in (*status["reasons"], *status["warnings"])]
    return Group(head, *problems, table)


def _facts(role: str, worker: Mapping[str, Any]) -> str:
    role = role.partition("+")[0]
    if role == "joiner":
        counts = ("examples", "joined", "orphans", "late", "duplicates", "dead_letters")
        return ", ".join(f"{worker[name]:,} {name.replace('_', ' ')}" for name in counts if name in worker)
    if role == "learner":
        auc = {head: value for head, value in worker["auc"].items() if value is not None}
        quality = ", ".join(f"{head} {value:.3f}" for head, value in list(auc.items())[:3])
        return f"{worker['examples']:,} examples, progressive AUC: {quality or 'not known yet'}"
    if role == "model":
        return f"version {worker['version']}, a sync takes {worker['last_tick_ms']} ms"
    if role.startswith("shard-"):
        return _shard_facts(worker)
    return f"{worker.get('examples', 0):,} examples"


def _shard_facts(worker: Mapping[str, Any]) -> str:
    tables = [table for group in worker["groups"].values() for table in group["tables"].values()]
    rows, size = (sum(table[name] for table in tables) for name in ("rows", "bytes"))
    restored = ", restored from a snapshot" if worker.get("restored") else ""
    return f"{rows:,} rows in {len(tables)} tables, {size / 1024**2:,.1f} MiB{restored}"


def draw_nodes(nodes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the view of what `actors.node_reader.Node.report` says of each node."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("node", "address", "", "cpus", "for", "runs"):
        table.add_column(heading)
    for node in nodes:
        state = Text("runs", style="green") if node["alive"] else Text("gone", style="red")
        kinds = ", ".join(node["kinds"]) or ("head" if node["head"] else "")
        table.add_row(
            node["id"][:8], node["address"], state, f"{node['cpus']:g}", kinds, ", ".join(node["parts"])
        )
    return table
