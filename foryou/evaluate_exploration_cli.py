"""The command `evaluate exploration`."""

from __future__ import annotations

from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, refusing, settings_from
from foryou.console import print_report


def register(evaluate_app: typer.Typer) -> None:
    """Add the command to `foryou evaluate`."""
    evaluate_app.command("exploration")(evaluate_exploration)


def evaluate_exploration(
    epsilon: Annotated[float, typer.Option(help="The rate that is asked about; 0 never explores.")],
    archive: Annotated[str | None, typer.Option(help="Folder or URI; default archive.uri.")] = None,
    reward: Annotated[str, typer.Option(help="engage, long_view or complete")] = "engage",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what another rate of exploration would have earned on archived traffic (IPS, SNIPS)."""
    from foryou.evaluate_exploration_command import run_evaluate_exploration_command
    from foryou.evaluate_policy_command import EvaluationError

    with refusing(EvaluationError):
        answer = run_evaluate_exploration_command(
            settings_from(config), target_epsilon=epsilon, archive=archive, reward=reward
        )
    print_report(answer, "Exploration", as_json=as_json)
