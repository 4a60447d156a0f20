"""The records of one FEED message after cleaning, each with its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from learners.cleaning import recognized
from learners.feature_shape import FeatureShape
from learners.impression_cleaning import clean_impression
from messages.events import InvalidEventError, parse_event
from messages.feed import FeedMessage
from messages.identifiers import partition_of
from messages.impressions import Impression


@dataclass(slots=True)
class CleanedRecord:
    """body: an event's wire map, an impression, or why the record was refused. owner_id: the user, of an
    upload the creator, "" where refused. needs_state: whether the owner's states are read or changed."""

    raw: Any
    body: dict[str, Any] | Impression | InvalidEventError
    owner_id: str
    needs_state: bool


def cleaned_records(
    message: FeedMessage, partition: int, num_partitions: int, shape: FeatureShape
) -> list[CleanedRecord]:
    """Clean a message's records, in order; a refused one does not hold up the rest.

    A record on another partition than its owner's is refused: two joiners would write one person's state.
    shape: of the features that impressions bring.
    """
    records: list[CleanedRecord] = []
    owners: dict[str, int] = {}
    for kind, raw in message.records:
        body: dict[str, Any] | Impression
        try:
            if kind == "impression":
                body = clean_impression(raw, shape)
                field, owner_id = "user_id", body.user_id
                needs_state = body.features is None
            else:
                body = recognized(raw) or parse_event(raw)
                field = "creator_id" if body["event_type"] == "content_upload" else "user_id"
                owner_id = body[field]
                needs_state = True
            owner_partition = owners.get(owner_id)
            if owner_partition is None:
                owner_partition = owners[owner_id] = partition_of(owner_id, num_partitions)
            if owner_partition != partition:
                raise InvalidEventError(field, f"belongs to partition {owner_partition}, not to {partition}")
        except InvalidEventError as error:
            records.append(CleanedRecord(raw, error, "", False))
        else:
            records.append(CleanedRecord(raw, body, owner_id, needs_state))
    return records
