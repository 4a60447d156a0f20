"""`foryou config`: settings from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foryou.cli_options import JsonOption, refusing
from foryou.console import print_report

config_app = typer.Typer(help="Settings.", no_args_is_help=True)


@config_app.callback()
def _keep_the_subcommands_name() -> None:
    """Settings."""


@config_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A TOML file in the layout of the specification.")],
    out: Annotated[Path, typer.Option("--out", help="Where the settings go.")] = Path("foryou.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make foryou.toml of the specification's TOML, and say of each key what became of it."""
    from foryou.config_import import ConfigImportError, run_config_import

    with refusing(ConfigImportError):
        report = run_config_import(file, out, force=force)
    print_report(report, f"Import of {file.name}", as_json=as_json)
