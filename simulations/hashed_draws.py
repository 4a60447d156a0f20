"""Random numbers that are a function of what they are drawn for, not of how many were drawn before.

One person who meets one content draws the same luck in every copy of the world, whatever was shown before:
copies that differ only in their feed can be compared in pairs (common random numbers), and a run can be
repeated in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import DoubleArray, IdArray

_MANTISSA_STEP = 2.0**-53
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SEED_SPREAD = np.uint64(0x9E3779B1)


def uniform_draws(seed: int, purposes: IdArray, first: IdArray, second: int = 0) -> DoubleArray:
    """Hash (seed, purpose, first, second) to a number in [0, 1), for every purpose and every `first`.

    purposes: uint64 [k], what each draw decides. first: uint64 [n]. Returns float64 [k, n]. Compiled: a world
    asks for a handful of draws at a time, hundreds of times for every slate.
    """
    draws = np.empty((len(purposes), len(first)))
    _fill(np.uint64(seed & 0xFFFFFFFF) * _SEED_SPREAD, purposes, first, np.uint64(second), draws)
    return draws


@njit(cache=True, inline="always")
def _mixed(key: Any) -> Any:
    """The same bijection as `messages.identifiers.mix`, for one key."""
    key += _INCREMENT
    key ^= key >> np.uint64(30)
    key *= _FIRST
    key ^= key >> np.uint64(27)
    key *= _SECOND
    return key ^ (key >> np.uint64(31))


@njit(cache=True)
def _fill(seed: Any, purposes: Any, first: Any, second: Any, draws: Any) -> None:
    salt = _mixed(second)
    for column in range(len(first)):
        key = _mixed(first[column] ^ salt)
        for row in range(len(purposes)):
            draws[row, column] = (
                _mixed(_mixed(seed + purposes[row]) ^ key) >> np.uint64(11)
            ) * _MANTISSA_STEP


def to_normal(first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Turn two uniform draws into one from the standard normal (Box and Muller)."""
    draws: DoubleArray = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
    return draws
