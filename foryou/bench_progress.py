"""How benchmarks say which step they measure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.markup import escape

from foryou.console import progress_console


@contextlib.contextmanager
def measuring() -> Iterator[Callable[[str], None]]:
    """Yield what shows the step that is measured: in place on a terminal, else as a line of stderr."""
    if not progress_console.is_terminal:
        yield lambda step: progress_console.print(escape(step), soft_wrap=True)
        return
    with progress_console.status("measuring") as status:
        yield lambda step: status.update(f"measuring {escape(step)}")
