"""What a model said of rows before it learned them, from its learner to whoever compares models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import ByteArray, FloatArray, IdArray
from messages.codec import MalformedMessageError, pack, unpack
from messages.examples import HEADS, ExampleBatch
from messages.identifiers import mix


@dataclass(frozen=True, slots=True)
class Promises:
    """k joined rows as one group scored them.

    row_keys: uint64 [k], the same for the same row whichever learner read it, however batches were cut.
    user_keys: uint64 [k]. labels: LabelKind, uint8 [k, heads]. probabilities: float32 [k, heads].
    """

    group: str
    row_keys: IdArray
    user_keys: IdArray
    labels: ByteArray
    probabilities: FloatArray

    def __len__(self) -> int:
        return len(self.row_keys)

    @classmethod
    def of(cls, group: str, batch: ExampleBatch, probabilities: FloatArray) -> Promises:
        """Take down what was said of a batch's joined rows. probabilities: float32 [k, at least heads]."""
        joined = batch.joined
        assert joined is not None, "only joined rows are scored"
        heads = np.ascontiguousarray(probabilities[:, : len(HEADS)], dtype=np.float32)
        return cls(group, row_keys_of(batch), batch.user_keys[joined.rows], joined.labels, heads)

    def encode(self) -> bytes:
        return pack(
            {
                "group": self.group,
                "row_keys": self.row_keys,
                "user_keys": self.user_keys,
                "labels": self.labels,
                "probabilities": self.probabilities,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Promises:
        """Raises MalformedMessageError."""
        wire = unpack(data)
        try:
            return cls(**wire)
        except TypeError as error:
            raise MalformedMessageError(f"not a message of promises: {error}") from error


def row_keys_of(batch: ExampleBatch) -> IdArray:
    """Return the keys of a batch's joined rows, uint64 [k]: of request, content, kind of event and moment.

    Two events alike in all of them would share a key; to a comparison of models they are the same row.
    """
    joined = batch.joined
    assert joined is not None, "only joined rows have keys"
    rows = joined.rows
    keys = mix(joined.request_keys) ^ batch.content_keys[rows]
    keys = mix(keys) ^ batch.event_types[rows].astype(np.uint64)
    moments: IdArray = np.ascontiguousarray(batch.times[rows], dtype=np.float64).view(np.uint64)
    return mix(mix(keys) ^ moments)
