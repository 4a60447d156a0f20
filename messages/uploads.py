"""What a learner is told of contents that were uploaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from messages.arrays import FloatArray
from messages.content import ContentColumns, ContentFacts, words_of
from messages.features import IdBags
from messages.identifiers import keys_of


@dataclass(frozen=True, slots=True)
class Uploads:
    """Upload records on EXAMPLES: from these facts a learner gives new contents their first rows.

    text_keys: keys of the words of description and hashtags, a bag per content. visual, audio: one vector per
    content, float32, of no length where none was given.
    """

    contents: ContentColumns
    text_keys: IdBags
    visual: list[FloatArray]
    audio: list[FloatArray]

    def __len__(self) -> int:
        return len(self.contents)

    @classmethod
    def of(cls, contents: Sequence[ContentFacts]) -> Uploads:
        return cls(
            replace(ContentColumns.of(contents), audience=None),
            IdBags.of([keys_of(words_of(content.metadata.description)) for content in contents]),
            [np.array(content.metadata.visual_features, dtype=np.float32) for content in contents],
            [np.array(content.metadata.audio_features, dtype=np.float32) for content in contents],
        )

    @staticmethod
    def concatenate(parts: Sequence[Uploads]) -> Uploads:
        return Uploads(
            ContentColumns.concatenate([part.contents for part in parts]),
            IdBags.concatenate([part.text_keys for part in parts]),
            [vector for part in parts for vector in part.visual],
            [vector for part in parts for vector in part.audio],
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "contents": self.contents.to_wire(),
            "text_keys": self.text_keys.to_wire(),
            "visual": self.visual,
            "audio": self.audio,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Uploads:
        contents = ContentColumns.from_wire(wire["contents"])
        none = [np.empty(0, dtype=np.float32)] * len(contents)  # from before there were any
        return cls(
            contents, IdBags.from_wire(wire["text_keys"]), wire.get("visual", none), wire.get("audio", none)
        )
