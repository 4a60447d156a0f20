"""Options that many commands share, and how they become settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from foryou.console import progress_console

if TYPE_CHECKING:  # commands import what they need when they run: `foryou --help` answers at once
    from foryou.settings import SystemSettings

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file; default foryou.toml.")]
StateOption = Annotated[Path | None, typer.Option("--state", help="State folder; default .foryou.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
PortOption = Annotated[int | None, typer.Option("--port", help="HTTP port; 0 takes a free one.")]
HostOption = Annotated[str | None, typer.Option("--host", help="HTTP host; only this machine by default.")]
MappingOption = Annotated[
    str | None, typer.Option("--mapping", help="For dataset file: user=COLUMN,content=COLUMN,time=COLUMN,...")
]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="API key, where the running system asks for one.")
]


@contextlib.contextmanager
def refusing(*errors: type[Exception], code: int = 2) -> Iterator[None]:
    """Turn what a command refuses into its text on stderr and an exit code."""
    try:
        yield
    except errors as error:
        progress_console.print(f"[red]{escape(str(error))}[/red]")
        raise typer.Exit(code) from error


def settings_from(
    config: Path | None, *, state: Path | None = None, port: int | None = None, host: str | None = None
) -> SystemSettings:
    """Compose the settings of a command; a wrong one ends the command with its name."""
    from foryou.settings import SettingsError, load_settings

    flags: dict[str, Any] = {}
    if state is not None:
        flags["services"] = {"state": str(state)}
    http = {key: value for key, value in (("port", port), ("host", host)) if value is not None}
    if http:
        flags["http"] = http
    with refusing(SettingsError):
        return load_settings(config, flags)
