"""How often a person finishes, skips and likes, with the past fading: in all, by category and by creator.

A sum is kept as of the time of its newest event and fades by half in every half-life (forward decay: Cormode
et al., ICDE 2009), so an event that comes late still gets the weight it would have had, and nothing has to
be touched while nothing happens.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from learners.packed_keys import pack_keys, unpack_keys
from messages.arrays import DoubleArray, IdArray
from messages.codec import MalformedMessageError

_ROW = struct.Struct("<5d")


@dataclass(slots=True)
class DecayedRates:
    """Faded sums, all as of `last_time` (epoch seconds; 0 where nothing has happened yet).

    terminals: watchings that ended, by a view or by a skip; engaged and long_views: those among them.
    preference: rises with likes, shares, follows and saves and falls with skips, hides and reports.
    """

    last_time: float = 0.0
    terminals: float = 0.0
    engaged: float = 0.0
    long_views: float = 0.0
    preference: float = 0.0

    def add(
        self,
        time: float,
        half_life: float,
        terminals: float,
        engaged: float,
        long_views: float,
        preference: float,
    ) -> None:
        """Add one event of epoch second `time`; a late one enters already faded."""
        weight = 1.0
        if time > self.last_time:
            fade = 2.0 ** ((self.last_time - time) / half_life)
            self.terminals *= fade
            self.engaged *= fade
            self.long_views *= fade
            self.preference *= fade
            self.last_time = time
        elif time < self.last_time:
            weight = 2.0 ** ((time - self.last_time) / half_life)
        self.terminals += weight * terminals
        self.engaged += weight * engaged
        self.long_views += weight * long_views
        self.preference += weight * preference

    def as_tuple(self) -> tuple[float, float, float, float, float]:
        return self.last_time, self.terminals, self.engaged, self.long_views, self.preference


class RatesByKey(Mapping[int, DecayedRates]):
    """The rates of the most recently touched keys, oldest touch first; a read-only mapping to its readers.

    Rows are kept packed: a person's state is decoded for every request and encoded after every event, and
    hardly ever read row by row. What came packed even stays as it came until a key is asked for: a request
    reads all rows at once.
    """

    __slots__ = ("_by_key", "_packed")

    def __init__(self, keys: bytes = b"", rows: bytes = b"") -> None:
        self._packed = keys, rows
        self._by_key: dict[int, bytes] | None = None  # holds, once it is there; `_packed` is what it came of

    def __getitem__(self, key: int) -> DecayedRates:
        return DecayedRates(*_ROW.unpack(self._rows[key]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._packed[0]) // 8 if self._by_key is None else len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def packed(self, key: int) -> bytes | None:
        """Return one row as five float64, in the order of DecayedRates' fields."""
        return self._rows.get(key)

    def rows(self) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Yield every key with its row, oldest touch first."""
        keys, rows = self._pack()
        return zip(unpack_keys(keys), _ROW.iter_unpack(rows), strict=True)

    def arrays(self) -> tuple[IdArray, DoubleArray]:
        """Return keys uint64 [n] and rows float64 [n, 5] in the order of DecayedRates' fields."""
        keys, rows = self._pack()
        values = np.frombuffer(rows, dtype=np.float64)
        return np.array(np.frombuffer(keys, dtype=np.uint64)), values.reshape(len(keys) // 8, 5)

    def add(
        self,
        key: int,
        limit: int,
        time: float,
        half_life: float,
        terminals: float,
        engaged: float,
        long_views: float,
        preference: float,
    ) -> None:
        """Add one event to a key, which becomes the newest; over `limit` keys the oldest is forgotten."""
        by_key = self._rows
        packed = by_key.pop(key, None)
        rates = DecayedRates() if packed is None else DecayedRates(*_ROW.unpack(packed))
        rates.add(time, half_life, terminals, engaged, long_views, preference)
        by_key[key] = _ROW.pack(*rates.as_tuple())
        if len(by_key) > limit:
            del by_key[next(iter(by_key))]

    def to_wire(self) -> list[bytes]:
        return list(self._pack())

    @classmethod
    def from_wire(cls, wire: list[bytes]) -> RatesByKey:
        """Raises MalformedMessageError where keys and rows differ in number."""
        keys, rows = wire
        if not isinstance(keys, bytes) or not isinstance(rows, bytes):
            raise MalformedMessageError("keys and rates must be bytes")
        if len(keys) % 8 or len(keys) // 8 * _ROW.size != len(rows):
            raise MalformedMessageError(f"{len(keys)} bytes of keys with {len(rows)} bytes of rates")
        return cls(keys, rows)

    @property
    def _rows(self) -> dict[int, bytes]:
        if self._by_key is None:
            keys, rows = self._packed
            size = _ROW.size
            pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
            self._by_key = dict(zip(unpack_keys(keys), pieces, strict=True))
        return self._by_key

    def _pack(self) -> tuple[bytes, bytes]:
        if self._by_key is None:
            return self._packed
        return pack_keys(self._by_key), b"".join(self._by_key.values())
