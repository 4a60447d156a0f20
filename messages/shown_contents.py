"""The contents of a slate in an impression's wire form: few arrays, keys by value, names apart.

Every key is a hash of a name that goes with it; the reader of most impressions, a joiner, wants only the
keys, and would spend more time on names and hashes than on all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.codec import MalformedMessageError, pack, unpack
from messages.content import ContentColumns
from messages.features import IdBags

_KEYS = ("content_keys", "creator_keys", "category_keys", "audio_keys", "language_keys")

NO_NAMES: list[list[str]] = [[], [], [], []]


def pack_names(contents: ContentColumns, sources: list[str]) -> bytes:
    """Encode names and sources as one value that nobody needs to take apart on the way."""
    return pack([contents.content_ids, contents.creator_ids, contents.categories, sources])


def unpack_names(data: Any) -> list[list[str]]:
    """Return content ids, creator ids, categories and sources. Raises MalformedMessageError."""
    names = unpack(data) if isinstance(data, bytes) else None
    if not isinstance(names, list) or len(names) != len(NO_NAMES):
        raise MalformedMessageError(f"names must be {len(NO_NAMES)} packed lists")
    return names


def contents_to_wire(contents: ContentColumns) -> dict[str, Any]:
    wire = {
        "keys": np.concatenate([getattr(contents, column) for column in _KEYS] + [contents.tags.values]),
        "tags": contents.tags.offsets,
        "durations": contents.durations,
        "upload_times": contents.upload_times,
    }
    return wire if contents.audio_uses is None else wire | {"audio_uses": contents.audio_uses}


def contents_from_wire(wire: Mapping[str, Any], names: list[list[str]]) -> ContentColumns:
    """Decode what `contents_to_wire` made, or `ContentColumns.to_wire` in earlier versions. names: as
    `unpack_names` gives them, or empty lists."""
    if "keys" not in wire:
        return ContentColumns.from_wire(wire)
    keys = wire["keys"]
    if keys.dtype != np.uint64:
        raise MalformedMessageError("keys must be uint64")
    content_ids, creator_ids, categories, _ = names
    end = len(_KEYS) * (len(wire["tags"]) - 1)
    contents, creators, in_categories, audio, languages = keys[:end].reshape(len(_KEYS), -1)
    return ContentColumns(
        content_ids=content_ids,
        creator_ids=creator_ids,
        categories=categories,
        content_keys=contents,
        creator_keys=creators,
        category_keys=in_categories,
        audio_keys=audio,
        language_keys=languages,
        tags=IdBags.from_wire([keys[end:], wire["tags"]]),
        durations=wire["durations"],
        upload_times=wire["upload_times"],
        audio_uses=wire.get("audio_uses"),
    )
