"""How many contents of a catalogue have the same audio: a sound that many use is in fashion."""

from __future__ import annotations

import numpy as np

from messages.arrays import IdArray, IntArray
from parameter_server.cuckoo_index import CuckooIndex
from serve_app.growing_array import GrowingArray


class AudioUses:
    """Row number of a content -> number of its audio -> how many contents have it."""

    def __init__(self) -> None:
        self._index = CuckooIndex()
        self._counts = GrowingArray(np.int64)
        self._audios = GrowingArray(np.int64, fill=-1)
        """By row number; -1 for a content without audio."""

    def put(self, rows: IntArray, audio_keys: IdArray) -> None:
        """Say which audio contents have, MISSING_KEY for none; what they had before is taken back. rows: each
        once."""
        if not len(rows):
            return
        self._audios.reserve(int(rows.max()) + 1)
        different, places = np.unique(audio_keys, return_inverse=True)
        numbers = self._index.find_or_insert(different)  # -1 for MISSING_KEY
        self._counts.reserve(int(numbers.max()) + 1)
        audios = numbers[places]
        self._add(self._audios.values[rows], -1)
        self._add(audios, 1)
        self._audios.values[rows] = audios

    def of(self, rows: IntArray) -> IntArray:
        """Return how many contents have the audio of each of these, itself among them; 0 for none, int64
        [n]."""
        audios = self._audios.values.take(rows)
        # Clipping reads some count for a content without audio, which is none.
        uses: IntArray = np.where(audios < 0, 0, self._counts.values.take(audios, mode="clip"))
        return uses

    def _add(self, audios: IntArray, change: int) -> None:
        np.add.at(self._counts.values, audios[audios >= 0], change)
