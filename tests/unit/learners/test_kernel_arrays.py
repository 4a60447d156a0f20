from __future__ import annotations

import numpy as np
import pytest

from learners.kernel_arrays import kernel_array
from messages.arrays import AnyArray


def read_only() -> AnyArray:
    return np.frombuffer(np.arange(4, dtype=np.uint64).tobytes(), dtype=np.uint64)


def unaligned() -> AnyArray:
    return np.frombuffer(b"x" + np.arange(4, dtype=np.uint64).tobytes(), dtype=np.uint64, offset=1)


@pytest.mark.parametrize(
    "given",
    [read_only(), unaligned(), np.arange(8, dtype=np.uint64)[:4], np.arange(4), [0, 1, 2, 3]],
    ids=["read-only", "unaligned", "plain", "of another type", "a list"],
)
def test_whatever_comes_is_given_to_kernels_in_one_form(given: AnyArray) -> None:
    array = kernel_array(given, np.uint64)

    assert array.dtype == np.uint64
    assert array.flags.carray
    assert array.tolist() == [0, 1, 2, 3]


def test_what_has_the_form_already_is_not_copied() -> None:
    own = np.arange(4, dtype=np.float32)

    assert kernel_array(own, np.float32) is own
    assert kernel_array(np.arange(8.0)[::2], np.float64).flags.carray
