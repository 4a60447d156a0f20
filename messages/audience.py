"""To whom contents may be shown: what a review said, and from which age on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, ByteArray, IntArray
from messages.events import ContentMetadata


@dataclass(frozen=True, slots=True)
class Audience:
    """Of n contents. approved: bool [n]. min_ages: years, uint8 [n]."""

    approved: BoolArray
    min_ages: ByteArray

    @classmethod
    def of(cls, metadata: Sequence[ContentMetadata]) -> Audience:
        return cls(
            np.array([facts.moderation == "approved" for facts in metadata], dtype=np.bool_),
            np.array([facts.min_age for facts in metadata], dtype=np.uint8),
        )

    def take(self, rows: IntArray) -> Audience:
        return Audience(self.approved[rows], self.min_ages[rows])

    @staticmethod
    def concatenate(parts: Sequence[Audience | None]) -> Audience | None:
        """Stack what is known; None where any part does not know."""
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        return Audience(
            np.concatenate([part.approved for part in known]),
            np.concatenate([part.min_ages for part in known]),
        )
