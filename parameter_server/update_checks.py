"""What an update must satisfy before any of it is applied, so that a refused one has changed nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import AnyArray, BoolArray, IdArray
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows, Update
from parameter_server.dense_parameters import DenseParameters
from parameter_server.initializers import scramble
from parameter_server.native_memory import kernel_input
from parameter_server.settings import GroupSettings

_BUCKET_SHIFT = np.uint64(64 - (NUM_BUCKETS - 1).bit_length())


def check_update(update: Update, settings: GroupSettings, dense: DenseParameters, hosted: BoolArray) -> None:
    """Raise ValueError naming the first thing that is wrong. hosted: bool [NUM_BUCKETS]."""
    if not (np.isfinite(update.learning_rate_scale) and update.learning_rate_scale >= 0):
        raise ValueError(f"learning_rate_scale {update.learning_rate_scale}")
    for slot, gradients in update.rows.items():
        _check_rows(settings, slot, gradients.ids, gradients.gradients, hosted)
    for slot, births in update.births.items():
        _check_rows(settings, slot, births.ids, births.values, hosted)
    for name, gradient in update.dense.items():
        if name not in dense:
            raise ValueError(f"dense weights {name!r} are not on this shard")
        if gradient.shape != dense.shape_of(name):
            raise ValueError(f"gradient of {name!r} has shape {gradient.shape}, not {dense.shape_of(name)}")
        _check_finite(f"gradient of {name!r}", gradient)
    if update.counters is not None:
        if not settings.counters:
            raise ValueError(f"group {update.group!r} keeps no counters")
        _check_counters(update.counters, hosted)


def check_hosted(what: str, ids: IdArray, hosted: BoolArray) -> None:
    """Raise ValueError if a row belongs to a bucket of another shard: the sender's routing is not ours."""
    stray = _first_stray(kernel_input(ids, np.uint64), hosted)
    if stray >= 0:
        raise ValueError(f"{what}: id {int(ids[stray])} belongs to a bucket of another shard")


def _check_rows(
    settings: GroupSettings, slot: str, ids: IdArray, values: AnyArray, hosted: BoolArray
) -> None:
    if slot not in settings.slots:
        raise ValueError(f"no slot {slot!r} in this group")
    expected = (len(ids), settings.slots[slot].dimension)
    if values.shape != expected:
        raise ValueError(f"slot {slot!r}: values of shape {values.shape}, not {expected}")
    check_hosted(f"slot {slot!r}", ids, hosted)
    _check_finite(f"slot {slot!r}", values)


def _check_counters(counters: CounterRows, hosted: BoolArray) -> None:
    num = len(counters)
    shapes = (counters.totals.shape, counters.decayed.shape, counters.times.shape)
    expected = ((num, len(COUNTER_TOTALS)), (num, len(HALF_LIVES), len(DECAYED_COUNTERS)), (num,))
    if shapes != expected:
        raise ValueError(f"counters of shapes {shapes}, not {expected}")
    check_hosted("counters", counters.ids, hosted)
    _check_finite("decayed counters", counters.decayed)
    _check_finite("times of counters", counters.times)


def _check_finite(what: str, values: AnyArray) -> None:
    # A sum is finite only if all its terms are; only a sum that is not must be looked at closer.
    if not np.isfinite(values.sum(dtype=np.float64)) and not np.isfinite(values).all():
        raise ValueError(f"{what}: not every number is finite")


@njit(cache=True, nogil=True)
def _first_stray(ids: Any, hosted: Any) -> Any:
    for index in range(len(ids)):
        if not hosted[np.int64(scramble(ids[index]) >> _BUCKET_SHIFT)]:
            return index
    return -1
