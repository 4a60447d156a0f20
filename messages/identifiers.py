"""One place where names become numbers: string ids to 64-bit keys, keys to partitions and buckets.

The hash is part of the wire contract and of every snapshot: it must never change, differ between processes
(Python's built-in `hash` does) or depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from messages.arrays import IdArray, IntArray

NUM_BUCKETS = 256
"""Rows belong to this many fixed buckets (Flink calls them key groups); shards host buckets."""

DEFAULT_NUM_PARTITIONS = 16
"""FEED and EXAMPLES have this many partitions; the number is part of the wire contract of a namespace."""

MISSING_KEY = 0
"""No id hashes to this key; it stands for "no such field" (a content without a creator, say)."""

_SPLITMIX_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_SPLITMIX_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SPLITMIX_SECOND = np.uint64(0x94D049BB133111EB)


def key_of(text: str) -> int:
    """Return the 64-bit key of an id; the empty string has MISSING_KEY.

    Some two of n ids share a key with a chance of about n² / 2⁶⁵ (the birthday bound): one in 370,000 at 10⁷
    ids, one in 3,700 at 10⁸, one in 37 at 10⁹. A clash of contents, creators or people is found where their
    ids are first kept (`actors/id_ledger.py`); of tags, categories and other words it is borne: they share a
    row.
    """
    if not text:
        return MISSING_KEY
    return xxhash.xxh3_64_intdigest(text.encode()) or 1


@dataclass(frozen=True, slots=True)
class IdClash:
    """Two ids with one key. kind: content, creator or user. holder: which had it first."""

    kind: str
    id: str
    holder: str

    def __str__(self) -> str:
        return f"{self.kind} id {self.id!r} has the same 64-bit key as {self.holder!r}: choose another id"


class IdClashError(ValueError):
    """Ids cannot be taken, since others bear their keys; nothing was changed."""

    def __init__(self, clashes: Sequence[IdClash]) -> None:
        super().__init__("; ".join(map(str, clashes)))
        self.clashes = list(clashes)

    def __reduce__(self) -> tuple[type[IdClashError], tuple[list[IdClash]]]:
        return IdClashError, (self.clashes,)


def keys_of(texts: Iterable[str]) -> IdArray:
    """Return the keys of many ids, uint64 [n]."""
    return np.fromiter((key_of(text) for text in texts), dtype=np.uint64)


def mix(keys: IdArray) -> IdArray:
    """Scramble keys with splitmix64's finalizer (Steele et al., OOPSLA 2014): a bijection, vectorized."""
    mixed = keys.astype(np.uint64, copy=True)
    mixed += _SPLITMIX_INCREMENT
    mixed ^= mixed >> np.uint64(30)
    mixed *= _SPLITMIX_FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SPLITMIX_SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def buckets_of(keys: IdArray) -> IntArray:
    """Return the bucket of each key, int64 [n] in [0, NUM_BUCKETS)."""
    return (mix(keys) >> np.uint64(56)).astype(np.int64)


def key_of_buckets(buckets: IntArray) -> int:
    """Return the 64-bit key of a set of buckets: two parties with the same key mean the same set."""
    hosted = np.zeros(NUM_BUCKETS, dtype=np.bool_)
    hosted[buckets] = True
    return xxhash.xxh3_64_intdigest(np.packbits(hosted).tobytes())


def partition_of(owner_id: str, num_partitions: int) -> int:
    """Return the partition in which everything of one user (or of one creator's uploads) keeps its order."""
    return key_of(owner_id) % num_partitions
