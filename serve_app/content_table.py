"""The contents a replica knows, in growing columns: row number -> facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit

from messages.arrays import BoolArray, ByteArray, DoubleArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.features import IdBags
from parameter_server.cuckoo_index import CuckooIndex
from serve_app.audio_uses import AudioUses
from serve_app.growing_array import GrowingArray


class ContentTable:
    """key -> row number -> the columns of `ContentColumns`. A removed content's number is used again."""

    def __init__(self) -> None:
        self._index = CuckooIndex()
        self._live = GrowingArray(np.bool_, fill=False)
        self._names = {
            name: GrowingArray(object, fill="") for name in ("content_ids", "creator_ids", "categories")
        }
        self._keys = {
            name: GrowingArray(np.uint64)
            for name in ("content_keys", "creator_keys", "category_keys", "audio_keys", "language_keys")
        }
        self._durations = GrowingArray(np.float32, fill=np.nan)
        self._upload_times = GrowingArray(np.float64)
        self._approved = GrowingArray(np.bool_, fill=True)
        self._min_ages = GrowingArray(np.uint8)
        self._tags = _TagPool()
        self._audio_uses = AudioUses()
        self._num_rows = 0

    def __len__(self) -> int:
        return len(self._index)

    @property
    def live(self) -> BoolArray:
        """Which row numbers hold a content, bool [rows]; a view."""
        live: BoolArray = self._live.values[: self._num_rows]
        return live

    @property
    def content_keys(self) -> IdArray:
        """uint64 [capacity], by row number; a view."""
        return self._keys["content_keys"].values

    @property
    def creator_keys(self) -> IdArray:
        """uint64 [capacity], by row number; a view."""
        return self._keys["creator_keys"].values

    @property
    def category_keys(self) -> IdArray:
        """uint64 [capacity], by row number; a view."""
        return self._keys["category_keys"].values

    @property
    def language_keys(self) -> IdArray:
        """uint64 [capacity], by row number; a view."""
        return self._keys["language_keys"].values

    @property
    def upload_times(self) -> DoubleArray:
        """Epoch seconds, float64 [capacity], by row number; a view."""
        times: DoubleArray = self._upload_times.values
        return times

    @property
    def approved(self) -> BoolArray:
        """Whether a review lets a content be shown, bool [capacity], by row number; a view."""
        approved: BoolArray = self._approved.values
        return approved

    @property
    def min_ages(self) -> ByteArray:
        """From which age on a content may be shown, years, uint8 [capacity], by row number; a view."""
        ages: ByteArray = self._min_ages.values
        return ages

    def find(self, keys: IdArray) -> IntArray:
        """Return the row number of each content, int64 [n], -1 where it is not known."""
        rows: IntArray = self._index.find(keys)
        return rows

    def put(self, contents: ContentColumns) -> IntArray:
        """Add contents or replace their facts; keys are unique within `contents`. Returns their rows."""
        rows = self._index.find_or_insert(contents.content_keys)
        if not len(rows):
            return rows
        self._num_rows = max(self._num_rows, int(rows.max()) + 1)
        self._live.put(rows, True)
        for name, names in self._names.items():
            names.put(rows, np.array(getattr(contents, name), dtype=object))
        for name, column in self._keys.items():
            column.put(rows, getattr(contents, name))
        self._durations.put(rows, contents.durations)
        self._upload_times.put(rows, contents.upload_times)
        audience = contents.audience
        self._approved.put(rows, True if audience is None else audience.approved)
        self._min_ages.put(rows, 0 if audience is None else audience.min_ages)
        self._tags.put(rows, contents.tags)
        self._audio_uses.put(rows, contents.audio_keys)
        return rows

    def remove(self, keys: IdArray) -> IntArray:
        """Forget contents and return the rows they had; keys that are not known are left out."""
        rows = self.find(keys)
        rows = rows[rows >= 0]
        if len(rows):
            self._index.erase(keys)
            self._live.values[rows] = False
            for names in self._names.values():
                names.values[rows] = ""
            for column in self._keys.values():
                column.values[rows] = 0
            self._tags.put(rows, IdBags.of([np.empty(0, dtype=np.uint64)] * len(rows)))
            self._audio_uses.put(rows, np.zeros(len(rows), dtype=np.uint64))
        return rows

    def content_ids(self, rows: IntArray) -> list[str]:
        """Return the names of contents, by row number."""
        names: list[str] = self._names["content_ids"].values[rows].tolist()
        return names

    def take(self, rows: IntArray) -> ContentColumns:
        """Return the facts of contents, by row number, as copies."""
        names = {name: names.values[rows].tolist() for name, names in self._names.items()}
        return replace(self.take_unnamed(rows), **names)

    def take_unnamed(self, rows: IntArray) -> ContentColumns:
        """Return the same without names, whose lists are empty: they lie all over the memory."""
        keys: dict[str, Any] = {name: column.values.take(rows) for name, column in self._keys.items()}
        return ContentColumns(
            content_ids=[],
            creator_ids=[],
            categories=[],
            **keys,
            tags=self._tags.take(rows),
            durations=self._durations.values.take(rows),
            upload_times=self._upload_times.values.take(rows),
            audio_uses=self._audio_uses.of(rows),
        )


class _TagPool:
    """Bags of tags behind each other in one array; bags that were replaced are cleared away at intervals."""

    def __init__(self) -> None:
        self._starts = GrowingArray(np.int64)
        self._lengths = GrowingArray(np.int64)
        self._values = GrowingArray(np.uint64)
        self._used = 0
        self._wasted = 0

    def put(self, rows: IntArray, bags: IdBags) -> None:
        self._starts.reserve(int(rows.max()) + 1)
        self._lengths.reserve(int(rows.max()) + 1)
        self._wasted += int(self._lengths.values[rows].sum())
        self._values.reserve(self._used + len(bags.values))
        self._values.values[self._used : self._used + len(bags.values)] = bags.values
        self._starts.values[rows] = self._used + bags.offsets[:-1]
        self._lengths.values[rows] = bags.lengths()
        self._used += len(bags.values)
        if self._wasted > 4096 and self._wasted > self._used // 2:
            self._compact()

    def take(self, rows: IntArray) -> IdBags:
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(self._lengths.values.take(rows), out=offsets[1:])
        values = np.empty(offsets[-1], dtype=np.uint64)
        _copy_bags(self._values.values, self._starts.values.take(rows), offsets, values)
        return IdBags(values, offsets)

    def _compact(self) -> None:
        kept = self.take(np.arange(len(self._starts.values)))
        self._starts.values[:] = kept.offsets[:-1]
        self._values = GrowingArray(np.uint64)
        self._values.reserve(len(kept.values))
        self._values.values[: len(kept.values)] = kept.values
        self._used, self._wasted = len(kept.values), 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _copy_bags(pool: Any, starts: Any, offsets: Any, values: Any) -> None:
    """Write the bags that begin at `starts` of the pool behind each other into `values`."""
    for bag in range(len(starts)):
        for place in range(offsets[bag + 1] - offsets[bag]):
            values[offsets[bag] + place] = pool[starts[bag] + place]
