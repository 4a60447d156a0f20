"""One person as the store gives them to whoever serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from messages.arrays import FloatArray, IdArray


@dataclass(frozen=True, slots=True)
class StoredUser:
    """Everything that a feed needs of one person, read in one round trip; by default, of somebody unknown.

    state: `UserState.to_bytes`. served: keys of contents shown before, uint64 [s], newest last. rows: the
    person's own embedding rows, by row group (model and lineage) and slot, float32 [d]. shown: by row group,
    the highest version counter that an answer to this person named. notice: rises when an operator has
    changed something. remembered: by a replica, the store being away.
    """

    state: bytes | None = None
    profile: Mapping[str, Any] | None = None
    served: IdArray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    rows: Mapping[str, Mapping[str, FloatArray]] = field(default_factory=dict)
    shown: Mapping[str, int] = field(default_factory=dict)
    notice: int = 0
    remembered: bool = False
