"""`foryou experiment promotion`: models that come and go by the rules, on a running system."""

from __future__ import annotations

from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, refusing, settings_from
from foryou.console import print_report


def register(app: typer.Typer) -> None:
    """Add the command to the experiments."""
    app.command("promotion")(experiment_promotion)


def experiment_promotion(
    people: Annotated[int, typer.Option(help="Simulated people.")] = 600,
    visits: Annotated[float, typer.Option(help="Feeds a second.")] = 40.0,
    patience: Annotated[float, typer.Option(help="Seconds for each step.")] = 240.0,
    replicas: Annotated[int, typer.Option(help="That serve: each must take over what is decided.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the simulated world.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """See a better model go to production, a worse one stopped, a bad one rolled back, by the rules alone."""
    from foryou.experiment_promotion_command import (
        DemoFailedError,
        JourneyError,
        run_experiment_promotion,
    )

    settings = settings_from(config, port=0)
    with refusing(JourneyError, DemoFailedError, code=1):
        answer = run_experiment_promotion(
            settings,
            num_people=people,
            seed=seed,
            patience_seconds=patience,
            visits_per_second=visits,
            num_replicas=replicas,
        )
    print_report(answer, "Models on a running system", as_json=as_json)
