"""What a replay says at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """rows: of the log, exact duplicates dropped. examples: learned events. auc_*, calibration_*: each row
    scored before it was learned; calibration is mean predicted over mean observed, of all rows."""

    rows: int
    examples: int
    auc_click: float
    auc_long_view: float
    calibration_click: float
    calibration_long_view: float
    rows_per_s: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
