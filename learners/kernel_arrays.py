"""Arrays in the one form that the compiled passes of features and key sets take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from messages.arrays import AnyArray


def kernel_array(values: Any, dtype: npt.DTypeLike) -> AnyArray:
    """Return `values` C-contiguous, aligned and writable, copied only where it is not so already.

    Numba compiles anew for each layout, alignment and writability.
    """
    if isinstance(values, np.ndarray) and values.dtype == dtype and values.flags.carray:
        return values  # numpy takes ten times as long to see it
    return np.require(values, dtype=dtype, requirements=("C", "A", "W"))
