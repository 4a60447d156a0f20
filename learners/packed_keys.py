"""64-bit keys as plain bytes: the quickest way through the codec for many short lists."""

from __future__ import annotations

import struct
from collections.abc import Collection


def pack_keys(keys: Collection[int]) -> bytes:
    """Return eight bytes for each key, little-endian."""
    return struct.pack(f"<{len(keys)}Q", *keys)


def unpack_keys(data: bytes) -> tuple[int, ...]:
    """Decode what `pack_keys` made. Raises struct.error where the bytes do not come to whole keys."""
    return struct.unpack(f"<{len(data) // 8}Q", data)
