"""What each stage of one request took in, kept, and how long it needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class StageRecord(NamedTuple):
    """kind: source, filter, hydrator, scorer, selector or exploration. num_in, num_out: contents.

    A source takes none in; a filter removed num_in - num_out.
    """

    kind: str
    name: str
    seconds: float
    num_in: int
    num_out: int


@dataclass(slots=True)
class StageTrace:
    """The records of one request, in the order in which the stages ran.

    failures: source -> the error because of which it is left out of this answer.
    """

    records: list[StageRecord] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, name: str, seconds: float, num_in: int, num_out: int) -> None:
        self.records.append(StageRecord(kind, name, seconds, num_in, num_out))

    def of_kind(self, kind: str) -> Iterator[StageRecord]:
        return (record for record in self.records if record.kind == kind)

    @property
    def num_proposed(self) -> int:
        return sum(record.num_out for record in self.of_kind("source"))

    @property
    def removed(self) -> dict[str, int]:
        """How many contents each filter removed, those that removed any."""
        counts = {record.name: record.num_in - record.num_out for record in self.of_kind("filter")}
        return {name: count for name, count in counts.items() if count}
