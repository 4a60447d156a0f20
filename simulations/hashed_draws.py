"""Random numbers that are a function of what they are drawn for, not of how many were drawn before.

One person who meets one content draws the same luck in every copy of the world, whatever was shown before:
copies that differ only in their feed can be compared in pairs (common random numbers), and a run can be
repeated in any order.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import DoubleArray, IdArray
from messages.identifiers import mix

_MANTISSA_STEP = 2.0**-53


def uniform_draws(seed: int, purposes: IdArray, first: IdArray, second: int = 0) -> DoubleArray:
    """Hash (seed, purpose, first, second) to a number in [0, 1), for every purpose and every `first`.

    purposes: uint64 [k], what each draw decides. first: uint64 [n]. Returns float64 [k, n]. One call for all
    purposes, because numpy's cost here is by the call.
    """
    starts = mix(np.uint64(seed & 0xFFFFFFFF) * np.uint64(0x9E3779B1) + purposes)
    keys = mix(first ^ mix(np.array([second], dtype=np.uint64)))
    bits = mix(starts[:, None] ^ keys[None, :]) >> np.uint64(11)
    return bits.astype(np.float64) * _MANTISSA_STEP


def to_normal(first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Turn two uniform draws into one from the standard normal (Box and Muller)."""
    draws: DoubleArray = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
    return draws
