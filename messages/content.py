"""Contents in columns: what travels from the catalogue to replicas, impressions and examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray, stack_counts
from messages.audience import Audience
from messages.events import ContentMetadata
from messages.features import IdBags
from messages.identifiers import keys_of


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """One content as the catalogue keeps it."""

    content_id: str
    creator_id: str
    upload_timestamp: float
    metadata: ContentMetadata

    def to_wire(self) -> dict[str, Any]:
        return {
            "content_id": self.content_id,
            "creator_id": self.creator_id,
            "upload_timestamp": self.upload_timestamp,
            "metadata": self.metadata.model_dump(exclude_defaults=True),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ContentFacts:
        return cls(
            wire["content_id"],
            wire["creator_id"],
            float(wire["upload_timestamp"]),
            ContentMetadata.model_validate(wire["metadata"]),
        )

    @classmethod
    def from_upload(cls, event: Mapping[str, Any]) -> ContentFacts:
        """Read the wire map of a `content_upload` event."""
        return cls(
            event["content_id"],
            event["creator_id"],
            float(event["timestamp"]),
            ContentMetadata.model_validate(event.get("metadata", {})),
        )


@dataclass(frozen=True, slots=True)
class ContentColumns:
    """n contents in the form that features are computed from.

    content_ids, creator_ids, categories: the names, for answers; empty lists among candidates, of whom only
    the keys are needed. *_keys: uint64 [n]; MISSING_KEY where unknown. tags: their keys,
    hashtags of the description among them.
    durations: seconds, float32 [n], NaN where unknown. upload_times: epoch seconds, float64 [n]. audience: on
    the way from the catalogue to replicas; None behind them, where it has been heeded. audio_uses: how many
    contents of the catalogue had the same audio at the moment, int64 [n]; None where nobody counted.
    """

    content_ids: list[str]
    creator_ids: list[str]
    categories: list[str]
    content_keys: IdArray
    creator_keys: IdArray
    category_keys: IdArray
    audio_keys: IdArray
    language_keys: IdArray
    tags: IdBags
    durations: FloatArray
    upload_times: DoubleArray
    audience: Audience | None = None
    audio_uses: IntArray | None = None

    def __len__(self) -> int:
        return len(self.content_keys)

    @classmethod
    def of(cls, contents: Sequence[ContentFacts]) -> ContentColumns:
        return cls(
            content_ids=[content.content_id for content in contents],
            creator_ids=[content.creator_id for content in contents],
            categories=[content.metadata.category for content in contents],
            content_keys=keys_of(content.content_id for content in contents),
            creator_keys=keys_of(content.creator_id for content in contents),
            category_keys=keys_of(content.metadata.category for content in contents),
            audio_keys=keys_of(content.metadata.audio_id for content in contents),
            language_keys=keys_of(language_name(content.metadata.language) for content in contents),
            tags=IdBags.of([keys_of(tags_of(content.metadata)) for content in contents]),
            durations=np.array(
                [
                    np.nan if content.metadata.duration is None else content.metadata.duration
                    for content in contents
                ],
                dtype=np.float32,
            ),
            upload_times=np.array([content.upload_timestamp for content in contents], dtype=np.float64),
            audience=Audience.of([content.metadata for content in contents]),
        )

    def take(self, rows: IntArray) -> ContentColumns:
        return ContentColumns(
            content_ids=_taken(self.content_ids, rows),
            creator_ids=_taken(self.creator_ids, rows),
            categories=_taken(self.categories, rows),
            content_keys=self.content_keys[rows],
            creator_keys=self.creator_keys[rows],
            category_keys=self.category_keys[rows],
            audio_keys=self.audio_keys[rows],
            language_keys=self.language_keys[rows],
            tags=self.tags.take(rows),
            durations=self.durations[rows],
            upload_times=self.upload_times[rows],
            audience=None if self.audience is None else self.audience.take(rows),
            audio_uses=None if self.audio_uses is None else self.audio_uses[rows],
        )

    @staticmethod
    def concatenate(parts: Sequence[ContentColumns]) -> ContentColumns:
        return ContentColumns(
            content_ids=[name for part in parts for name in part.content_ids],
            creator_ids=[name for part in parts for name in part.creator_ids],
            categories=[name for part in parts for name in part.categories],
            content_keys=np.concatenate([part.content_keys for part in parts]),
            creator_keys=np.concatenate([part.creator_keys for part in parts]),
            category_keys=np.concatenate([part.category_keys for part in parts]),
            audio_keys=np.concatenate([part.audio_keys for part in parts]),
            language_keys=np.concatenate([part.language_keys for part in parts]),
            tags=IdBags.concatenate([part.tags for part in parts]),
            durations=np.concatenate([part.durations for part in parts]),
            upload_times=np.concatenate([part.upload_times for part in parts]),
            audience=Audience.concatenate([part.audience for part in parts]),
            audio_uses=stack_counts([(len(part), part.audio_uses) for part in parts]),
        )

    def to_wire(self) -> dict[str, Any]:
        """Names and fixed facts; the keys are hashed again by the reader."""
        wire = {
            "content_ids": self.content_ids,
            "creator_ids": self.creator_ids,
            "categories": self.categories,
            "audio_keys": self.audio_keys,
            "language_keys": self.language_keys,
            "tags": self.tags.to_wire(),
            "durations": self.durations,
            "upload_times": self.upload_times,
        }
        return wire if self.audio_uses is None else wire | {"audio_uses": self.audio_uses}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ContentColumns:
        return cls(
            content_ids=wire["content_ids"],
            creator_ids=wire["creator_ids"],
            categories=wire["categories"],
            content_keys=keys_of(wire["content_ids"]),
            creator_keys=keys_of(wire["creator_ids"]),
            category_keys=keys_of(wire["categories"]),
            audio_keys=wire["audio_keys"],
            language_keys=wire["language_keys"]
            if "language_keys" in wire
            else np.zeros_like(wire["audio_keys"]),
            tags=IdBags.from_wire(wire["tags"]),
            durations=wire["durations"],
            upload_times=wire["upload_times"],
            audio_uses=wire.get("audio_uses"),
        )


def _taken(names: list[str], rows: IntArray) -> list[str]:
    return [names[row] for row in rows] if names else []


MAX_TAGS = 32
_HASHTAG = re.compile(r"#(\w+)")


def tags_of(metadata: ContentMetadata) -> list[str]:
    """Return the tags of a content and, in lower case, the hashtags of its description, each once, at most
    MAX_TAGS."""
    tags = dict.fromkeys(metadata.tags)
    if "#" in metadata.description:
        tags |= dict.fromkeys(hashtag.lower() for hashtag in _HASHTAG.findall(metadata.description))
    return list(tags)[:MAX_TAGS]


def language_name(tag: str) -> str:
    """Return the name by which a language is a key, whatever the region: `de-AT` and `DE` are one; "" for
    none."""
    primary = tag.replace("_", "-").split("-", 1)[0].strip().lower()
    return f"language={primary}" if primary else ""


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words, hashtags without their sign."""
    cleaned = "".join(letter.lower() if letter.isalnum() else " " for letter in text)
    return cleaned.split()
