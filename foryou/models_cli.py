"""`foryou models`: models side by side, which of them serves whom, and how each got there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console
from foryou.models_command import ACTIONS

models_app = typer.Typer(help="Production, canaries and shadows of the running system.", no_args_is_help=True)

ModelArgument = Annotated[str, typer.Argument(help="The model's name.")]
WhyOption = Annotated[str, typer.Option("--why", help="Goes on record.")]


@models_app.command("list")
def list_models(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """List every model: what it is for, since when, what the rules say, and which versions are pinned."""
    from foryou.models_command import ModelsError, run_models_list

    with refusing(ModelsError):
        report = run_models_list(settings_from(config, state=state))
    print_report(report, "Models", as_json=as_json)


@models_app.command("show")
def show_model(
    model: ModelArgument, config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Show one model with its settings and its history."""
    from foryou.models_command import ModelsError, run_models_show

    with refusing(ModelsError):
        report = run_models_show(settings_from(config, state=state), model)
    print_report(report, model, as_json=as_json)


@models_app.command("log")
def show_log(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Show every change: who, when, what, why, on what evidence."""
    from foryou.models_command import ModelsError, run_models_log

    with refusing(ModelsError):
        report = run_models_log(settings_from(config, state=state))
    print_report(report, "Changes of models", as_json=as_json)


@models_app.command("create")
def create_model(
    model: ModelArgument,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the training settings; may be repeated.")
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="First values and the whole stream, not production's weights."),
    ] = False,
    snapshot: Annotated[
        str | None,
        typer.Option("--snapshot", help="Folder or URI that `foryou train` wrote to: begin as that model."),
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a candidate; it begins as a shadow."""
    from foryou.models_command import ModelsError, run_models_create

    with refusing(ModelsError):
        report = run_models_create(
            settings_from(config, state=state),
            model,
            changes=changes or [],
            from_scratch=from_scratch,
            why=why,
            snapshot=snapshot,
        )
    print_report(report, f"Created {model}", as_json=as_json)


@models_app.command("set")
def tune_model(
    model: ModelArgument,
    changes: Annotated[list[str], typer.Argument(help="KEY=VALUE, like model.learning_rate=0.1.")],
    why: WhyOption = "",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how a model learns; its learner goes on from where it stands."""
    from foryou.models_command import ModelsError, run_models_set

    with refusing(ModelsError):
        report = run_models_set(settings_from(config, state=state), model, changes, why=why)
    print_report(report, f"Changed {model}", as_json=as_json)


@models_app.command("rollback")
def roll_back(
    before: Annotated[
        float | None,
        typer.Option("--before", help="Epoch seconds: a snapshot must be older, where one is needed."),
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put production back: to the model before it, or else to its own last snapshot."""
    from foryou.models_command import ModelsError, run_models_rollback

    with refusing(ModelsError):
        report = run_models_rollback(settings_from(config, state=state), before=before, why=why)
    print_report(report, "Rolled back", as_json=as_json)


@models_app.command("retrain")
def retrain(
    every: Annotated[
        str | None, typer.Option("--every", help="Again and again, like 24h, until interrupted.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Of the candidates' names.")] = "retrained",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a candidate on the archive and enter it as a shadow; earlier ones of the name are retired."""
    from foryou.retrain_command import ModelsError, TrainError, run_retrain_command, run_retrain_schedule
    from foryou.watch_command import WatchError, seconds_of_span

    settings = settings_from(config, state=state)

    def once() -> dict[str, Any]:
        with progress_console.status("reading the archive") as status:
            return run_retrain_command(settings, prefix=prefix, say=status.update)

    def tell(report: dict[str, Any]) -> None:
        print_report(report, "Retrained", as_json=as_json)

    with refusing(ModelsError, TrainError, WatchError):
        if every is None:
            tell(once())
        else:
            run_retrain_schedule(once, seconds_of_span(every), tell)


def _register_action(action: str, words: str) -> None:
    def command(
        model: ModelArgument,
        why: WhyOption = "",
        config: ConfigOption = None,
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from foryou.models_command import ModelsError, run_models_action

        with refusing(ModelsError):
            report = run_models_action(settings_from(config, state=state), model, action, why=why)
        print_report(report, f"{action} {model}", as_json=as_json)

    models_app.command(action, help=words)(command)


for _action, _words in ACTIONS.items():
    _register_action(_action, _words)
