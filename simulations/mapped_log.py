"""Anybody's log in Parquet, CSV or NDJSON, with a mapping that says which column is what.

    user=uid, content=item, time=ts, engaged=rating>=4, watch=seconds, duration=length, category=genre

Needed: user, content, time, engaged. Optional: long_view and liked (like engaged: a column that is true or
false, or one compared with a number), watch and duration (seconds), category, creator, audio, description,
tags (a list, or names divided by `|`) and uploaded (a time). A time is epoch seconds or milliseconds, or ISO
8601.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from messages.content import ContentFacts
from messages.events import ContentMetadata
from simulations.interaction_table import InteractionTable, table_of
from simulations.replay_log import LogFormatError

REQUIRED = ("user", "content", "time", "engaged")
OPTIONAL = (
    "long_view", "liked", "watch", "duration", "category", "creator", "audio", "description", "tags",
    "uploaded",
)  # fmt: skip

_CONDITION = re.compile(r"(.+?)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?)")
_COMPARISONS: dict[str, Callable[[Any, float], Any]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_MILLISECONDS_FROM = 1e11
_TRUE = {"1", "true", "yes", "y", "t"}
_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".ndjson": lambda path: pd.read_json(path, lines=True),
    ".jsonl": lambda path: pd.read_json(path, lines=True),
}


def parse_mapping(text: str) -> dict[str, str]:
    """Read `name=column,...`. Raises LogFormatError for a name that is unknown or missing."""
    mapping: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = part.partition("=")
        if not equals or name.strip() not in (*REQUIRED, *OPTIONAL):
            raise LogFormatError(f"mapping {part!r}: names are {', '.join((*REQUIRED, *OPTIONAL))}")
        mapping[name.strip()] = column.strip()
    if missing := [name for name in REQUIRED if name not in mapping]:
        raise LogFormatError(f"the mapping lacks {', '.join(missing)}")
    return mapping


def read_mapped(path: Path, mapping: Mapping[str, str]) -> InteractionTable:
    """Read one file. Raises LogFormatError."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise LogFormatError(f"{path}: not a file that ends in {', '.join(_READERS)}")
    try:
        frame = reader(path)
    except (ValueError, OSError) as error:
        raise LogFormatError(f"{path}: {error}") from error
    for target, source in mapping.items():
        condition = _CONDITION.fullmatch(source)
        if (condition[1] if condition else source) not in frame.columns:
            raise LogFormatError(f"{path} lacks the column {source!r} for {target}")
    engaged = _flag(frame, mapping["engaged"])
    rows = pd.DataFrame(
        {
            "user_id": frame[mapping["user"]].astype(str),
            "content_id": frame[mapping["content"]].astype(str),
            "time": _times(frame[mapping["time"]], path),
            "engaged": engaged,
            "long_view": _flag(frame, mapping["long_view"]) if "long_view" in mapping else engaged,
            "liked": _flag(frame, mapping["liked"]) if "liked" in mapping else False,
            "watch_seconds": _seconds(frame, mapping.get("watch")).fillna(0.0),
        }
    )
    return table_of("log", rows, _contents(frame, rows, mapping, path))


def _contents(
    frame: pd.DataFrame, rows: pd.DataFrame, mapping: Mapping[str, str], path: Path
) -> dict[str, ContentFacts]:
    """Take the facts of each content from its first row."""
    uploaded = _times(frame[mapping["uploaded"]], path) if "uploaded" in mapping else rows["time"]
    facts = pd.DataFrame({"content": rows["content_id"], "uploaded": uploaded, "time": rows["time"]})
    facts["duration"] = _seconds(frame, mapping.get("duration"))
    for name in ("category", "creator", "audio", "description", "tags"):
        facts[name] = frame[mapping[name]] if name in mapping else ""
    facts = facts.sort_values("time", kind="stable").drop_duplicates("content")
    return {
        row.content: ContentFacts(
            row.content,
            _text(row.creator),
            float(row.uploaded),
            ContentMetadata(
                category=_text(row.category),
                tags=_tags(row.tags),
                description=_text(row.description)[:4_000],
                duration=None if pd.isna(row.duration) else float(row.duration),
                audio_id=_text(row.audio),
            ),
        )
        for row in facts.itertuples(index=False)
    }


def _flag(frame: pd.DataFrame, source: str) -> pd.Series:
    condition = _CONDITION.fullmatch(source)
    if condition:
        compare = _COMPARISONS[condition[2]]
        return compare(pd.to_numeric(frame[condition[1]], errors="coerce"), float(condition[3]))
    column = frame[source]
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.fillna(0).astype(bool)
    return column.astype(str).str.strip().str.lower().isin(_TRUE)


def _seconds(frame: pd.DataFrame, source: str | None) -> pd.Series:
    if source is None:
        return pd.Series(float("nan"), index=frame.index)
    return pd.to_numeric(frame[source], errors="coerce").clip(0, 86_400)


def _times(column: pd.Series, path: Path) -> pd.Series:
    """Return epoch seconds. Raises LogFormatError."""
    try:
        if pd.api.types.is_numeric_dtype(column):
            times = column.astype("float64")
            times = times.where(times < _MILLISECONDS_FROM, times / 1_000)
        else:
            moments = pd.to_datetime(column, utc=True, format="ISO8601" if column.dtype != "M8[ns]" else None)
            times = (moments - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    except (ValueError, TypeError) as error:
        raise LogFormatError(f"{path}: times of column {column.name!r}: {error}") from error
    if times.isna().any() or (times <= 0).any():
        raise LogFormatError(f"{path}: column {column.name!r} lacks a time in some rows")
    return times


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and pd.isna(value)) else str(value)[:200]


def _tags(value: Any) -> tuple[str, ...]:
    names = (
        str(value).split("|") if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else []
    )
    return tuple(name.strip()[:100] for name in map(str, names) if name.strip())[:32]
