"""The best of many products, found by counting: what a scan comes upon in no order, a branch that depends on
it is mispredicted every other time, and sorting or partitioning takes longer than multiplying did.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from serve_app.row_prefetch import AHEAD, ask_for

_BUCKETS = 256
_SUMS = {"reassoc", "contract", "nsz"}
"""What the compiler may assume of sums; not that no number is a NaN."""


@njit(cache=True, nogil=True, fastmath=_SUMS)  # type: ignore[untyped-decorator]
def put_best_first(vectors: Any, found: Any, query: Any, rows: Any, products: Any) -> None:
    """Write rows that were found, int64 [n], in the order of their exact products with a query, and these.

    vectors: float32 [capacity, dimension], by row number. query: float32 [dimension].
    """
    opposites = np.empty(len(found), dtype=np.float32)
    for place in range(len(found)):
        if place + AHEAD < len(found):
            ask_for(vectors, found[place + AHEAD])
        product = np.float32(0)
        for dimension in range(len(query)):
            product += vectors[found[place], dimension] * query[dimension]
        opposites[place] = -product
    order = np.argsort(opposites)
    for place in range(len(order)):
        rows[place], products[place] = found[order[place]], -opposites[order[place]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def cut_down(rows: Any, products: Any, found: Any, count: Any) -> Any:
    """Bring the best of the first `found` products to the front, with their rows: `count` at least and twice
    as many at most. Return how many, and the lowest of them: what is no higher is none of the best.

    A histogram of equal steps from the lowest to the highest says where to cut.
    """
    low, high = products[:found].min(), products[:found].max()
    scale = np.float32(_BUCKETS - 1) / max(high - low, np.float32(1e-30))
    sizes = np.zeros(_BUCKETS, dtype=np.int64)
    for place in range(found):
        sizes[_bucket(products[place], low, scale)] += 1
    edge, best = _BUCKETS, 0
    while best < count:
        edge -= 1
        best += sizes[edge]
    kept = 0
    for place in range(found):
        product, row = products[place], rows[place]
        products[kept], rows[kept] = product, row
        kept += int(_bucket(product, low, scale) >= edge)
    if kept > 2 * count:  # one step holds most of them: equal ones, or one that is far above all others
        return count, keep_best(rows, products, kept, count)
    return kept, products[:kept].min()


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _bucket(product: Any, low: Any, scale: Any) -> Any:
    step = (product - low) * scale
    highest = np.float32(_BUCKETS - 1)
    return np.int64(step if step < highest else highest)  # infinity times 0 belongs at the top, too


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def keep_best(rows: Any, products: Any, found: Any, count: Any) -> Any:
    """Bring the `count` highest of the first `found` products to the front (Hoare's selection, 1961); return
    the lowest of them."""
    low, high = 0, found - 1
    while low < high:
        pivot = products[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while products[left] > pivot:
                left += 1
            while products[right] < pivot:
                right -= 1
            if left <= right:
                products[left], products[right] = products[right], products[left]
                rows[left], rows[right] = rows[right], rows[left]
                left += 1
                right -= 1
        if count - 1 <= right:
            high = right
        elif count - 1 >= left:
            low = left
        else:
            break
    return products[:count].min()
