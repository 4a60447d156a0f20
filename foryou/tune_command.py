"""`foryou tune`: learning rates, dimensions and widths, searched on a replay."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foryou.ray_session import ray_session
from foryou.settings import SystemSettings
from simulations.datasets import open_log
from simulations.replay_log import LogFormatError
from simulations.tuning import settings_snippet, trials_table, tune


class TuneError(ValueError):
    """The search cannot be run as asked; the text says why."""


def run_tune_command(
    settings: SystemSettings,
    *,
    dataset: str,
    path: Path | str,
    report: Path,
    trials: int = 12,
    at_once: int = 1,
    limit: int | None = None,
    mapping: str | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Search, write `trials.md` and the best settings as `foryou.toml` to `report`, and report flat.

    A trial learns the log once, in order: its score is the progressive mean AUC of click and long view. What
    is best here was chosen here: check it on another log, or on later days. Raises TuneError.
    """
    if trials < 1 or at_once < 1:
        raise TuneError("--trials and --at-once: at least one")
    started = time.monotonic()
    try:
        log = open_log(
            dataset,
            path,
            num_partitions=settings.num_partitions,
            window_rows=settings.batching.max_rows,
            max_rows=limit,
            mapping=mapping,
        )
    except LogFormatError as error:
        raise TuneError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="foryou-tune-") as folder, ray_session(settings):
        from simulations.prepared_examples import examples_of_log, write_batches

        examples = Path(folder) / "log.examples"
        say(f"joining {len(log):,} rows, once")
        joiner = settings.joiner.model_copy(update={"num_partitions": settings.num_partitions})
        num_examples = write_batches(examples, examples_of_log(log, joiner))
        found = tune(
            examples,
            settings.training,
            num_trials=trials,
            seed=seed,
            folder=Path(folder) / "trials",
            num_at_once=at_once,
            say=say,
        )
    if not found:
        raise TuneError("no trial got as far as its first report: is the log long enough?")
    report.mkdir(parents=True, exist_ok=True)
    best = found[0]
    table, snippet = report / "trials.md", report / "foryou.toml"
    table.write_text(trials_table(found))
    snippet.write_text(settings_snippet(best))
    return {
        "dataset": dataset,
        "examples": num_examples,
        "trials": len(found),
        "trials_to_the_end": sum(trial.share == 1 for trial in found),
        "best_score": best.score,
        "best_auc_click": best.auc_click,
        "best_auc_long_view": best.auc_long_view,
        **{f"best_{name}": best.settings[name] for name in ("learning_rate", "dense_learning_rate")},
        "best_content_dimension": best.settings["content_dimension"],
        "best_hidden": "-".join(map(str, best.settings["hidden"])),
        "table": str(table),
        "settings": str(snippet),
        "seconds": round(time.monotonic() - started, 1),
    }
