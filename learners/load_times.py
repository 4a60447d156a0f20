"""How fast a person's network is, judged by how long contents took to begin (specification, section 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

_NEWEST_SHARE = 0.2


@dataclass(slots=True)
class LoadTimes:
    """mean_log: fading mean of log(1 + milliseconds); the newest counts a fifth. count: told so far."""

    mean_log: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        """Take in the time that one content took to begin."""
        self.count += 1
        share = max(_NEWEST_SHARE, 1 / self.count)  # the plain mean of the first few
        self.mean_log += share * (math.log1p(1_000 * seconds) - self.mean_log)

    def as_tuple(self) -> tuple[float, int]:
        return self.mean_log, self.count
