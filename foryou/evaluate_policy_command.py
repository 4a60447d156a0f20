"""`foryou evaluate policy`: what a policy would have earned on logged traffic, before anybody sees it.

A log is CSV or Parquet, one row per place shown. Columns: reward, propensity, target_propensity; optionally
user (whose rows depend on one another), predicted_reward and predicted_value (a reward model's, for DR). The
files of the Open Bandit Dataset (Saito et al., arXiv 2008.07146) are read as they are.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from messages.arrays import DoubleArray
from monitoring.off_policy import (
    Estimator,
    LoggedRows,
    OffPolicyError,
    estimate_gain,
    estimate_value,
    logged_value,
)

Target: TypeAlias = Literal["column", "uniform", "logged"]
_OPEN_BANDIT = {"click", "propensity_score", "item_id", "position"}
_NEEDED = {"reward", "propensity"}


class EvaluationError(ValueError):
    """The log cannot be read or does not allow the evaluation; the text says why."""


def run_evaluate_policy_command(
    path: Path,
    *,
    target: Target = "column",
    own_log: Path | None = None,
    confidence: float = 0.95,
    max_weight: float = float("inf"),
) -> dict[str, Any]:
    """Report IPS, SNIPS and, with a reward model, DR of the target, flat. Raises EvaluationError.

    target: the log's own column, a uniform draw among all items of an Open Bandit log, or the logging policy
    itself (then every estimator must give what was earned). own_log: what the target policy itself logged;
    then the report says whether its value lies in each interval, and whether both agree when the chance in
    that log is counted too.
    """
    frame = _read(path)
    try:
        rows = _rows(frame, target)
        own = None if own_log is None else _rows(_read(own_log), "logged")
        report = policy_report(rows, own=own, confidence=confidence, max_weight=max_weight)
    except OffPolicyError as error:
        raise EvaluationError(f"{path}: {error}") from error
    return {"target": target, **report}


def policy_report(
    rows: LoggedRows,
    *,
    own: LoggedRows | None = None,
    confidence: float = 0.95,
    max_weight: float = float("inf"),
) -> dict[str, Any]:
    """Report all estimators that the rows allow, flat: values, gains over the logging policy, intervals.

    rows: of a file or, from EXAMPLES, of `monitoring.off_policy_log`. own: the target policy's own log.
    Raises OffPolicyError.
    """
    report: dict[str, Any] = {"rows": len(rows.rewards)}
    report |= logged_value(rows, confidence=confidence).numbers("logged")
    estimators: list[Estimator] = ["ips", "snips"] + (["dr"] if rows.predicted is not None else [])
    truth = None if own is None else logged_value(own, confidence=confidence)
    if truth is not None:
        report |= truth.numbers("own")
    for estimator in estimators:
        estimate = estimate_value(rows, estimator, confidence=confidence, max_weight=max_weight)
        gain = estimate_gain(rows, estimator, confidence=confidence, max_weight=max_weight)
        report |= estimate.numbers(estimator) | gain.numbers(f"{estimator}_gain")
        report |= {"effective_rows": estimate.effective_rows, "mean_weight": estimate.mean_weight}
        if truth is not None:
            distance = abs(estimate.value - truth.value)
            half_width = (estimate.high - estimate.low) / 2
            report[f"{estimator}_holds_own"] = distance <= half_width
            report[f"{estimator}_agrees_with_own"] = distance <= math.hypot(
                half_width, (truth.high - truth.low) / 2
            )
    return report


def _read(path: Path) -> pd.DataFrame:
    """A path may lead into a zip file or a wheel, as if that were a folder."""
    reader = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    try:
        for archive in path.parents:
            if archive.suffix in (".whl", ".zip") and archive.is_file():
                with zipfile.ZipFile(archive) as members:
                    member = members.read(path.relative_to(archive).as_posix())
                return reader(io.BytesIO(member))
        return reader(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise EvaluationError(f"{path}: {error}") from error


def _rows(frame: pd.DataFrame, target: Target) -> LoggedRows:
    columns = set(frame.columns)
    if columns >= _OPEN_BANDIT:
        if target == "column":
            raise EvaluationError("an Open Bandit log has no target_propensity: ask for uniform or logged")
        rewards, propensities = _numbers(frame, "click"), _numbers(frame, "propensity_score")
        num_items = int(frame["item_id"].max()) + 1
        uniform = np.full(len(frame), 1 / num_items)
    elif columns >= _NEEDED:
        rewards, propensities = _numbers(frame, "reward"), _numbers(frame, "propensity")
        if target == "uniform":
            raise EvaluationError("only an Open Bandit log says how many items there are")
        if target == "column" and "target_propensity" not in columns:
            raise EvaluationError("the log has no column target_propensity")
        uniform = propensities
    else:
        raise EvaluationError(
            f"a log needs the columns {', '.join(sorted(_NEEDED))}; it has {sorted(columns)}"
        )
    chances = {
        "logged": propensities,
        "uniform": uniform,
        "column": _numbers(frame, "target_propensity") if target == "column" else propensities,
    }
    has_model = {"predicted_reward", "predicted_value"} <= columns
    return LoggedRows(
        rewards=rewards,
        propensities=propensities,
        target_propensities=chances[target],
        clusters=pd.factorize(frame["user"])[0] if "user" in columns else None,
        predicted=_numbers(frame, "predicted_reward") if has_model else None,
        predicted_target=_numbers(frame, "predicted_value") if has_model else None,
    )


def _numbers(frame: pd.DataFrame, column: str) -> DoubleArray:
    values: DoubleArray = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        raise EvaluationError(f"column {column} holds something that is no number")
    return values
