"""`actors.allocator_pacing`."""

from __future__ import annotations

import resource

import numpy as np

from actors.allocator_pacing import keep_freed_memory


def page_faults_of_rankings(count: int) -> int:
    """Make and free arrays as a ranking does; return how many pages the kernel had to give."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        kept = [np.ones((500, columns), dtype=np.float32) for columns in (129, 266, 256, 128)]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_arrays_of_a_size_that_comes_again_take_no_new_pages() -> None:
    taken = keep_freed_memory()
    page_faults_of_rankings(3)
    assert not taken or page_faults_of_rankings(20) < 20 * 10


def test_it_may_be_called_again() -> None:
    assert keep_freed_memory() == keep_freed_memory()
