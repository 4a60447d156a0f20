"""The commands of engineers: simulate, evaluate, load, experiment, bench, datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from foryou.bench_cli import bench_app
from foryou.bench_serving_cli import register as register_serving_benchmarks
from foryou.cli_options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    MappingOption,
    StateOption,
    refusing,
    settings_from,
)
from foryou.console import print_report, progress_console
from foryou.experiment_comparison_cli import register as register_comparisons
from foryou.experiment_nodes_cli import register as register_nodes
from foryou.experiment_promotion_cli import register as register_promotion

experiment_app = typer.Typer(help="Experiments about the system's own promises.", no_args_is_help=True)
evaluate_app = typer.Typer(
    help="Judge a model or a policy on a log, before anybody sees it.", no_args_is_help=True
)

PathOption = Annotated[Path, typer.Option("--path", help="The file, or the folder with the official files.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("simulate")(simulate)
    app.command("datasets")(datasets)
    app.command("load")(load)
    register_comparisons(experiment_app)
    register_nodes(experiment_app)
    register_promotion(experiment_app)
    app.add_typer(experiment_app, name="experiment")
    app.add_typer(bench_app, name="bench")
    register_serving_benchmarks(bench_app)
    app.add_typer(evaluate_app, name="evaluate")


def simulate(
    preset: Annotated[str, typer.Argument(help="steady, drift, cold-start, trends or adversarial")],
    against: Annotated[
        str, typer.Option(help="Policies, by comma.")
    ] = "random,popular,tags,frozen,online,oracle",
    people: Annotated[int | None, typer.Option(help="In each copy of the world.")] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Of the world's time: 24h, 90min, 2d.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Contents shown after which a copy ends.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    seeds: Annotated[int, typer.Option(help="How many, from --seed on.")] = 1,
    report: Annotated[Path, typer.Option(help="Folder for the page and its plots.")] = Path(
        "simulation-report"
    ),
    record: Annotated[
        Path | None, typer.Option(help="Record the online copy, for `replay recording`.")
    ] = None,
    http: Annotated[str | None, typer.Option(help="URL of a running system that serves `online`.")] = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let policies serve paired copies of one simulated world, and report who does how well."""
    from foryou.simulate_command import SimulationError, run_simulate_command

    with refusing(SimulationError):
        answer = run_simulate_command(
            preset,
            against=against,
            people=people,
            duration=duration,
            steps=steps,
            seed=seed,
            seeds=seeds,
            report=report,
            record=record,
            http_url=http,
            key=key,
        )
    print_report(answer, f"Simulation {preset}", as_json=as_json)


def datasets(
    dataset: Annotated[str | None, typer.Argument(help="One of the names this command lists.")] = None,
    path: Annotated[Path | None, typer.Option("--path", help="Check the files there.")] = None,
    mapping: MappingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which logs can be replayed, where they are to be had and under which licence; check files."""
    from foryou.datasets_command import DatasetError, run_datasets_command

    with refusing(DatasetError):
        answer = run_datasets_command(dataset, path, mapping=mapping)
    print_report(answer, "Data sets", as_json=as_json)


def load(
    http: Annotated[str | None, typer.Option(help="URL; default the system on the state folder.")] = None,
    people: Annotated[str | None, typer.Option(help="Of each step: 5,10,20.")] = None,
    seconds: Annotated[float, typer.Option(help="Of each step.")] = 15.0,
    soak: Annotated[bool, typer.Option("--soak", help="One step, as long as --seconds says.")] = False,
    report: Annotated[Path, typer.Option(help="Folder for the plot.")] = Path("load-report"),
    key: KeyOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load a running system with people that behave, in steps, until it stops keeping up."""
    from foryou.load_command import LoadError, run_load_command
    from foryou.local_services import StateFolder
    from foryou.operator_client import key_of

    if http is None:
        settings = settings_from(config, state=state)
        key = key_of(settings) if key is None else key
        running = StateFolder(settings.services.state).find_running()
        if running is None:
            progress_console.print("[red]nothing runs: start `foryou up`, or name --http URL[/red]")
            raise typer.Exit(2)
        http = running.http_url
    with refusing(LoadError):
        answer = run_load_command(http, people=people, seconds=seconds, soak=soak, report=report, key=key)
    print_report(answer, "Load", as_json=as_json)


@experiment_app.command("aa")
def experiment_aa(
    experiments: Annotated[int, typer.Option(help="How many are simulated.")] = 1_000,
    alpha: Annotated[float, typer.Option(help="False alarms that are allowed.")] = 0.05,
    lift: Annotated[float, typer.Option(help="The true difference that should be found.")] = 0.05,
    seed: Annotated[int, typer.Option()] = 0,
    as_json: JsonOption = False,
) -> None:
    """Look at simulated A/A experiments after every batch: how often is there a false alarm?"""
    from foryou.experiment_aa_command import run_experiment_aa_command

    answer = run_experiment_aa_command(experiments=experiments, alpha=alpha, lift=lift, seed=seed)
    print_report(answer, "A/A experiments", as_json=as_json)


@evaluate_app.command("model")
def evaluate_model(
    dataset: Annotated[str, typer.Argument(help="kuairand, movielens, file or recording")],
    path: PathOption,
    mapping: MappingOption = None,
    folds: Annotated[int | None, typer.Option(help="k-fold instead of a split by time.")] = None,
    k: Annotated[int, typer.Option("--k", help="Of Precision@K and the like.")] = 10,
    limit: Annotated[int | None, typer.Option(help="Only the first so many rows.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the model beside baselines on what was held back of a log, in one table."""
    from foryou.evaluate_command import EvaluationError, run_evaluate_command

    with refusing(EvaluationError):
        answer = run_evaluate_command(dataset, path, mapping=mapping, folds=folds, k=k, limit=limit)
    print_report(answer, f"Evaluation on {dataset}", as_json=as_json)


@evaluate_app.command("policy")
def evaluate_policy(
    path: PathOption,
    target: Annotated[
        Literal["column", "uniform", "logged"], typer.Option(help="Whose value is estimated.")
    ] = "column",
    own_log: Annotated[Path | None, typer.Option(help="What the target policy itself logged.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what another policy would have earned on logged traffic (IPS, SNIPS, DR)."""
    from foryou.evaluate_policy_command import EvaluationError, run_evaluate_policy_command

    with refusing(EvaluationError):
        answer: dict[str, Any] = run_evaluate_policy_command(path, target=target, own_log=own_log)
    print_report(answer, "Policy", as_json=as_json)
