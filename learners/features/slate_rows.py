"""Whole rows of features, made of what is learned from alone: a slate keeps the person's part once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from messages.arrays import IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch, IdBags
from messages.slate_features import FACT_IDS, SlateFeatures


def rows_of_slates(
    slates: Sequence[SlateFeatures], contents: Sequence[ContentColumns], which: IntArray, places: IntArray
) -> FeatureBatch:
    """Return k rows. slates: of one layout, and the contents of each. which, places: int64 [k], the slate of
    each row and the place in it.

    One pass over everything: a joiner releases a few rows at a time, and numpy would take a call for each
    column of them.
    """
    layout = slates[0].layout
    tags = [part.tags for part in contents]
    starts, key, number, content, tag = [], 0, 0, 0, 0
    for slate, bags in zip(slates, tags, strict=True):
        starts.append([key, number, content, tag, len(slate), *slate.bag_ends])
        key += len(slate.keys)
        number += len(slate.numbers)
        content += len(slate)
        tag += len(bags.values)
    ids, dense, counters, values, offsets = _gather(
        np.concatenate([slate.keys for slate in slates]),
        np.concatenate([slate.numbers for slate in slates]),
        np.concatenate([getattr(part, column) for column in FACT_IDS.values() for part in contents]),
        np.concatenate([bags.values for bags in tags]),
        np.concatenate([bags.offsets for bags in tags]),
        np.array(starts, dtype=np.int64),
        which,
        places,
        (len(layout.person_ids), len(FACT_IDS), len(layout.content_ids)),
        (layout.num_person, layout.num_pair, layout.num_counters),
    )
    packed, start = [], 0
    for ends in offsets:
        end = start + int(ends[-1])
        packed.append(IdBags(values[start:end], ends))
        start = end
    return FeatureBatch(
        ids=dict(zip(layout.ids, ids, strict=True)),
        bags=dict(zip(layout.bags, packed, strict=True)),
        dense=dense,
        counters=counters if layout.num_counters else None,
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _gather(
    keys: Any,
    numbers: Any,
    facts: Any,
    tag_values: Any,
    tag_offsets: Any,
    starts: Any,
    which: Any,
    places: Any,
    num_ids: Any,
    widths: Any,
) -> Any:
    """Return ids [i, k], dense [k, d], counters [k, c], the values of all bags behind each other and the
    offsets of each, [b, k + 1].

    keys, numbers: of all slates. facts: a row of ids for each of FACT_IDS, of all contents. starts: of each
    slate, where its keys, numbers, contents and tags begin, how many contents it has and where its person's
    bags end. num_ids: the person's, facts, and others of a content. widths: as in SlateLayout.
    """
    num_person, num_facts, num_derived = num_ids
    width, num_pair, num_counters = widths
    count, num_bags, num_contents = len(which), starts.shape[1] - 5, len(facts) // num_facts
    ids = np.empty((num_person + num_facts + num_derived, count), dtype=np.uint64)
    dense = np.empty((count, width + num_pair), dtype=np.float32)
    counters = np.empty((count, num_counters), dtype=np.float32)
    offsets = np.zeros((num_bags + 1, count + 1), dtype=np.int64)
    for row in range(count):
        key, number, content, _, size = starts[which[row], :5]
        place = places[row]
        for index in range(num_person):
            ids[index, row] = keys[key + index]
        for index in range(num_facts):
            ids[num_person + index, row] = facts[index * num_contents + content + place]
        derived = key + num_person + starts[which[row], 4 + num_bags] + place
        for index in range(num_derived):
            ids[num_person + num_facts + index, row] = keys[derived + index * size]
        for index in range(width):
            dense[row, index] = numbers[number + index]
        number += width + place * (num_pair + num_counters)
        for index in range(num_pair):
            dense[row, width + index] = numbers[number + index]
        for index in range(num_counters):
            counters[row, index] = numbers[number + num_pair + index]
        begin = 0
        for bag in range(num_bags):
            end = starts[which[row], 5 + bag]
            offsets[bag, row + 1] = offsets[bag, row] + end - begin
            begin = end
        at = content + which[row] + place  # every slate before has one offset more than contents
        offsets[num_bags, row + 1] = offsets[num_bags, row] + tag_offsets[at + 1] - tag_offsets[at]
    values = np.empty(offsets[:, count].sum(), dtype=np.uint64)
    filled = 0
    for bag in range(num_bags + 1):
        for row in range(count):
            slate = which[row]
            length = offsets[bag, row + 1] - offsets[bag, row]
            if bag < num_bags:
                source, start = keys, starts[slate, 0] + num_person + starts[slate, 5 + bag] - length
            else:
                source = tag_values
                start = starts[slate, 3] + tag_offsets[starts[slate, 2] + slate + places[row]]
            for index in range(length):
                values[filled + index] = source[start + index]
            filled += length
    return ids, dense, counters, values, offsets
