"""`foryou evaluate`: the model beside baselines on a log that was held back, in one table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from foryou.console import progress_console
from simulations.datasets import open_log
from simulations.in_process import InProcessSettings
from simulations.offline_baselines import NeighboursModel, OfflineModel, PopularModel, RecentModel
from simulations.offline_evaluation import EvaluationSettings, evaluate
from simulations.offline_model import LearnedOffline
from simulations.offline_peers import installed_peers
from simulations.offline_table import table_of_log
from simulations.replay_log import LogFormatError


class EvaluationError(ValueError):
    """The evaluation cannot be run as asked; the text says why."""


def run_evaluate_command(
    dataset: str,
    path: Path,
    *,
    mapping: str | None = None,
    folds: int | None = None,
    k: int = 10,
    limit: int | None = None,
    max_people: int = 500,
    with_peers: bool = True,
    settings: InProcessSettings | None = None,
) -> dict[str, Any]:
    """Split by time (the first 80% learned), or in folds, and report rows, split and `models`: metrics by
    name of model, None where a model has no such figure. with_peers: also implicit's ALS and Vowpal Wabbit
    where they are installed. Raises EvaluationError."""
    makers: list[Callable[[], OfflineModel]] = [
        partial(LearnedOffline, settings),
        PopularModel,
        RecentModel,
        NeighboursModel,
    ]
    if with_peers:
        makers += [type(peer) for peer in installed_peers()]
    if k < 1 or (folds is not None and folds < 2):
        raise EvaluationError("--k is at least 1, --folds at least 2")
    try:
        options = EvaluationSettings(k=k, folds=folds, max_people=max_people)
        table = table_of_log(dataset, open_log(dataset, path, mapping=mapping, max_rows=limit))
        with progress_console.status("evaluating") as status:
            models = evaluate(table, makers, options, tell=lambda step: status.update(f"evaluating {step}"))
    except (LogFormatError, ValueError) as error:
        raise EvaluationError(str(error)) from error
    return {
        "dataset": dataset,
        "rows": len(table),
        "split": "first 80% by time learned, the rest asked" if folds is None else f"{folds} folds",
        "models": models,
    }
