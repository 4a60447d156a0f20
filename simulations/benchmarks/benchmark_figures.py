"""What each figure of a benchmark is: its unit, which way is better, and what it says in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """name: its key in a report. more_is_better: None where neither way is. promised: the bound of a promise
    about the benchmark's own sizes, which `more_is_better` says the side of; None for no promise."""

    name: str
    unit: str
    more_is_better: bool | None
    meaning: str
    promised: float | None = None

    def is_kept(self, value: float) -> bool | None:
        """Say whether the promise is kept; None where there is none."""
        if self.promised is None or self.more_is_better is None:
            return None
        return value >= self.promised if self.more_is_better else value <= self.promised


@dataclass(frozen=True, slots=True)
class Benchmark:
    """about: what is measured, for somebody who has not read the code. small: options of its command for
    sizes at which it is tried out. has_settings: whether its command takes --config."""

    name: str
    title: str
    about: str
    figures: tuple[Figure, ...]
    small: Mapping[str, float] = field(default_factory=dict)
    has_settings: bool = False

    def options(self, *, quick: bool) -> list[str]:
        """Return the options of the command; none are its own, promised sizes."""
        if not quick:
            return []
        return [part for name, value in self.small.items() for part in (f"--{name}", f"{value:g}")]
