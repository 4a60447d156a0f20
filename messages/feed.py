"""One message on FEED: records of one partition, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from messages.codec import MalformedMessageError, pack, unpack

RecordKind: TypeAlias = Literal["event", "impression"]

_TAGS: dict[RecordKind, str] = {"event": "e", "impression": "i"}
_KINDS: dict[str, RecordKind] = {tag: kind for kind, tag in _TAGS.items()}

PROTOCOL_VERSION = 1


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """Events (their wire maps) and impressions (their wire maps), in order.

    log_time: epoch seconds of a replayed log's clock, which then is the stream's time; None on live traffic,
    whose time is the broker's append time. A message without records only moves that clock.
    """

    records: list[tuple[RecordKind, Any]]
    log_time: float | None = None

    def encode(self) -> bytes:
        return pack(
            {
                "v": PROTOCOL_VERSION,
                "records": [[_TAGS[kind], record] for kind, record in self.records],
                "log_time": self.log_time,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> FeedMessage:
        """Raises MalformedMessageError; a record that is no map is left for cleaning to name."""
        wire = unpack(data)
        if not isinstance(wire, dict) or wire.get("v") != PROTOCOL_VERSION:
            raise MalformedMessageError(f"not a FEED message of version {PROTOCOL_VERSION}")
        records = wire.get("records")
        log_time = wire.get("log_time")
        if not isinstance(records, list) or not (log_time is None or isinstance(log_time, int | float)):
            raise MalformedMessageError("records must be a list and log_time a number or nil")
        decoded: list[tuple[RecordKind, Any]] = []
        for record in records:
            if not isinstance(record, list) or len(record) != 2 or record[0] not in _KINDS:
                raise MalformedMessageError("a record must be a pair of its kind ('e' or 'i') and its body")
            decoded.append((_KINDS[record[0]], record[1]))
        return cls(decoded, None if log_time is None else float(log_time))
