"""Searches settings of the model on a replay: many trials begin, and those that do badly end early (ASHA).

Asynchronous successive halving: Li et al., MLSys 2020. Every trial learns the same prepared examples once, in
order, and reports how well it foresaw them so far; the settings that ship are the first trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learners.training_settings import TrainingSettings

REPORTS = 10
"""A trial reports after each tenth of the examples."""
HIDDEN_CHOICES: dict[str, tuple[int, ...]] = {
    "128-64": (128, 64),
    "256-128-64": (256, 128, 64),
    "512-256-128": (512, 256, 128),
}
CONTENT_DIMENSIONS = (8, 16, 32)
_SHIPPED = "as it is"


@dataclass(frozen=True, slots=True)
class Trial:
    """score: mean AUC of click and long view up to where it ended. share: of the examples that it learned."""

    settings: dict[str, Any]
    score: float
    auc_click: float
    auc_long_view: float
    share: float


def tune(
    examples: Path,
    training: TrainingSettings,
    *,
    num_trials: int,
    seed: int,
    folder: Path,
    num_at_once: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> list[Trial]:
    """Return all trials, the best of those that went furthest first. Ray must be initialized.

    examples: a file of `prepared_examples.write_batches`. folder: for Ray Tune's records.
    """
    import ray
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    model = training.model
    space = {
        "learning_rate": ray_tune.loguniform(0.01, 0.2),
        "dense_learning_rate": ray_tune.loguniform(5e-4, 2e-2),
        "content_dimension": ray_tune.choice(CONTENT_DIMENSIONS),
        "hidden": ray_tune.choice(list(HIDDEN_CHOICES)),
    }
    shipped = {
        "learning_rate": model.learning_rate,
        "dense_learning_rate": model.dense_learning_rate,
        "content_dimension": model.content_dimension,
        "hidden": _SHIPPED,
    }
    say(f"{num_trials} trials")
    results = ray_tune.Tuner(
        ray_tune.with_resources(
            ray_tune.with_parameters(run_trial, examples=str(examples), training=training),
            {"cpu": max(1.0, ray.cluster_resources()["CPU"] / num_at_once)},
        ),
        param_space=space,
        tune_config=ray_tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=num_trials,
            scheduler=ASHAScheduler(
                time_attr="training_iteration", max_t=REPORTS, grace_period=2, reduction_factor=2
            ),
            search_alg=BasicVariantGenerator(points_to_evaluate=[shipped], random_state=seed),
        ),
        run_config=ray_tune.RunConfig(name="foryou-tune", storage_path=str(folder), verbose=0),
    ).fit()
    trials = [
        Trial(
            settings=model_settings(dict(result.config or {}), training),
            score=float(result.metrics["score"]),
            auc_click=float(result.metrics["auc_click"]),
            auc_long_view=float(result.metrics["auc_long_view"]),
            share=float(result.metrics["training_iteration"]) / REPORTS,
        )
        for result in results
        if result.metrics and "score" in result.metrics
    ]
    return sorted(trials, key=lambda trial: (-trial.share, -trial.score))


def run_trial(config: dict[str, Any], *, examples: str, training: TrainingSettings) -> None:
    """One trial, in a process of Ray Tune's."""
    from ray import tune as ray_tune
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        for report in learn_in_parts(Path(examples), with_model_settings(training, config)):
            ray_tune.report(report)


def learn_in_parts(examples: Path, training: TrainingSettings) -> Any:
    """Yield, after every tenth of the examples, the AUCs so far and their mean as `score`."""
    from simulations.batch_learner import BatchLearner
    from simulations.experiments.progressive_auc import ProgressiveAuc
    from simulations.prepared_examples import read_batches

    batches = read_batches(examples)
    learner = BatchLearner(training)
    auc = ProgressiveAuc(len(batches))
    ends = {math.ceil(len(batches) * (part + 1) / REPORTS) for part in range(REPORTS)}
    for number, batch in enumerate(batches):
        auc.add(number, learner.learn(batch))
        if number + 1 in ends:
            whole = auc.curve().whole
            yield {
                "score": (whole["click"] + whole["long_view"]) / 2,
                "auc_click": whole["click"],
                "auc_long_view": whole["long_view"],
            }


def with_model_settings(training: TrainingSettings, config: dict[str, Any]) -> TrainingSettings:
    """Return the settings of a trial."""
    return training.model_copy(
        update={"model": training.model.model_copy(update=model_settings(config, training))}
    )


def model_settings(config: dict[str, Any], training: TrainingSettings) -> dict[str, Any]:
    """Return a trial's choices as fields of RankingModelSettings.

    The rates of single slots keep their proportion to the common one.
    """
    rate = float(config["learning_rate"])
    scale = rate / training.model.learning_rate
    return {
        "learning_rate": rate,
        "slot_learning_rates": {
            slot: of_slot * scale for slot, of_slot in training.model.slot_learning_rates.items()
        },
        "dense_learning_rate": float(config["dense_learning_rate"]),
        "content_dimension": int(config["content_dimension"]),
        "hidden": training.model.hidden if config["hidden"] == _SHIPPED else HIDDEN_CHOICES[config["hidden"]],
    }


def settings_snippet(trial: Trial) -> str:
    """Return a trial's settings as they stand in `foryou.toml`."""
    own = trial.settings
    lines = [
        "[training.model]",
        f"learning_rate = {own['learning_rate']:.4g}",
        f"dense_learning_rate = {own['dense_learning_rate']:.4g}",
        f"content_dimension = {own['content_dimension']}",
        f"hidden = {list(own['hidden'])}",
        "",
        "[training.model.slot_learning_rates]",
        *(f"{slot} = {rate:.4g}" for slot, rate in own["slot_learning_rates"].items()),
    ]
    return "\n".join(lines) + "\n"


def trials_table(trials: list[Trial]) -> str:
    """Return a table in Markdown."""
    lines = [
        "| score | AUC click | AUC long view | learned | learning rate | dense | dimension | hidden |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for trial in trials:
        own = trial.settings
        lines.append(
            f"| {trial.score:.4f} | {trial.auc_click:.4f} | {trial.auc_long_view:.4f} | {trial.share:.0%} | "
            f"{own['learning_rate']:.4g} | {own['dense_learning_rate']:.4g} | {own['content_dimension']} | "
            f"{'-'.join(map(str, own['hidden']))} |"
        )
    return "\n".join(lines) + "\n"
