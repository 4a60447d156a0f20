"""What people do, from EXAMPLES: by day, for all, by arm and by model; exact, and the same after a crash.

A driver hands over every message with its partition and its place on the stream, and now and then stores
`to_parts` in one transaction. After a crash it reads on from `positions`, or from anywhere before: what has
been counted is passed over. Nothing here depends on how partitions interleave or messages are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray
from messages.codec import MalformedMessageError, pack, unpack
from messages.events import EVENT_TYPE_CODES
from messages.examples import ExampleBatch
from messages.identifiers import MISSING_KEY, key_of
from monitoring.counted_messages import NumberedBatch, uncounted
from monitoring.day_kpis import DayKpis
from monitoring.event_rows import MOST_GROUPS, AgeReader, EventRows, GroupReader
from monitoring.session_intervals import DAY_MS, SessionIntervals

ALL_SEGMENT = "all"
"""Everybody, and orphans too. Others: arm:NAME, model:NAME, group:FIELD=VALUE (people) and category:NAME
(contents), of events whose impression was found."""

_HEAD_PART = "head"
_CREATORS_PART = "creators"
_UPLOAD = EVENT_TYPE_CODES["content_upload"]


class KpiSettings(BaseModel):
    """session_gap_seconds: a longer pause ends a session. keep_days: after which a day is forgotten.

    fresh_seconds: a content is fresh up to this age. user_groups: FIELD=VALUE of people's profiles, each with
    KPIs of its own (age_group=18-24); a new one is counted from then on. categories: of contents, likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_gap_seconds: int = Field(default=1800, ge=1)
    keep_days: int = Field(default=40, ge=1)
    fresh_seconds: int = Field(default=86_400, ge=1)
    user_groups: tuple[Annotated[str, Field(pattern=r"^[^=]+=.+$")], ...] = Field((), max_length=MOST_GROUPS)
    categories: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), max_length=256)


class Segment:
    """A log of its own: days and sessions of the events that belong to it."""

    def __init__(self, sessions: SessionIntervals) -> None:
        self.days: dict[int, DayKpis] = {}
        self.sessions = sessions

    def add(self, rows: EventRows, fresh_seconds: int) -> None:
        for day in np.unique(rows.days).tolist():
            self.days.setdefault(day, DayKpis()).add(rows.take(rows.days == day), fresh_seconds)
        self.sessions.add(rows.user_keys, rows.times_ms)


class Kpis:
    """content_ages: reads the age of contents off their features; None counts no freshness. groups: reads the
    settings' user_groups, in their order; None counts none."""

    def __init__(
        self,
        settings: KpiSettings,
        content_ages: AgeReader | None = None,
        groups: GroupReader | None = None,
    ) -> None:
        self.settings = settings
        self.positions: dict[int, int] = {}
        """By partition of EXAMPLES: the last message counted."""
        self.segments: dict[str, Segment] = {}
        self.creators: set[int] = set()
        """All that uploaded something or were shown."""
        self.num_too_late = 0
        """Events from before what was settled: they are in no KPI."""
        self._content_ages = content_ages
        self._groups = groups
        self._settled_to_ms = 0

    def add(self, batch: ExampleBatch, *, partition: int, position: int) -> bool:
        """Count a message; False if it, or a later one of its partition, has been counted already."""
        return self.add_all([NumberedBatch(batch, partition, position)])

    def add_all(self, messages: Sequence[NumberedBatch]) -> bool:
        """Count messages, those of a partition in their order; False if all have been counted already."""
        batch = uncounted(messages, self.positions)
        if batch is None:
            return False
        uploads = batch.event_types == _UPLOAD
        self.creators.update(np.unique(batch.creator_keys[uploads]).tolist())
        rows = EventRows.of(batch, self._content_ages, self._groups)
        in_time: BoolArray = rows.times_ms >= self._settled_to_ms
        if not in_time.all():
            self.num_too_late += int((~in_time).sum())
            rows = rows.take(in_time)
        if len(rows):
            self.creators.update(np.unique(rows.creator_keys).tolist())
            self._add_to_segments(rows)
        self.creators.discard(MISSING_KEY)
        return True

    def settle(self, before: float) -> None:
        """Let go of what was only kept because an event from before this time, epoch seconds, might come.

        Called with the stream's watermark less the lateness that is waited for (the joiner's bound on how far
        behind an event's time may lie), it leaves nothing out.
        """
        self._settled_to_ms = max(self._settled_to_ms, round(before * 1000))
        first_day = self._settled_to_ms // DAY_MS - self.settings.keep_days
        for segment in self.segments.values():
            segment.sessions.settle(self._settled_to_ms)
            segment.sessions.forget_days(first_day)
            segment.days = {day: kpis for day, kpis in segment.days.items() if day >= first_day}

    def to_parts(self) -> dict[str, bytes]:
        """Pack into named parts, to be stored together; a day that did not change is not packed again.

        Equal states give equal parts.
        """
        parts = {
            _HEAD_PART: pack(
                {
                    "positions": sorted(self.positions.items()),
                    "settled_to_ms": self._settled_to_ms,
                    "num_too_late": self.num_too_late,
                }
            ),
            _CREATORS_PART: pack(np.array(sorted(self.creators), dtype=np.uint64)),
        }
        for name, segment in self.segments.items():
            parts[f"sessions/{name}"] = pack(segment.sessions.to_wire())
            for day, kpis in segment.days.items():
                parts[f"day/{day}/{name}"] = kpis.encode()
        return parts

    @classmethod
    def from_parts(
        cls,
        parts: Mapping[str, bytes],
        settings: KpiSettings,
        content_ages: AgeReader | None = None,
        groups: GroupReader | None = None,
    ) -> Kpis:
        """Raises MalformedMessageError where a part is missing or is none."""
        kpis = cls(settings, content_ages, groups)
        try:
            head = unpack(parts[_HEAD_PART])
            kpis.positions = dict(head["positions"])
            kpis._settled_to_ms, kpis.num_too_late = head["settled_to_ms"], head["num_too_late"]
            kpis.creators = set(unpack(parts[_CREATORS_PART]).tolist())
            for part, data in parts.items():
                kind, _, name = part.partition("/")
                if kind == "sessions":
                    kpis.segments[name] = Segment(SessionIntervals.from_wire(unpack(data)))
            for part, data in parts.items():
                kind, _, rest = part.partition("/")
                if kind == "day":
                    day, _, name = rest.partition("/")
                    kpis.segments[name].days[int(day)] = DayKpis.decode(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise MalformedMessageError(f"not the parts of KPIs: {error!r}") from error
        return kpis

    def _add_to_segments(self, rows: EventRows) -> None:
        self._segment(ALL_SEGMENT).add(rows, self.settings.fresh_seconds)
        for kind, names in (("arm", rows.arms), ("model", rows.model_ids)):
            for name in sorted(set(names.tolist()) - {""}):
                members = rows.take(names == name)
                self._segment(f"{kind}:{name}").add(members, self.settings.fresh_seconds)

        for bit, name in enumerate(self.settings.user_groups):
            belongs: BoolArray = (rows.groups >> bit & 1).astype(np.bool_)
            if belongs.any():
                self._segment(f"group:{name}").add(rows.take(belongs), self.settings.fresh_seconds)
        for name in self.settings.categories:
            of_it: BoolArray = rows.category_keys == np.uint64(key_of(name))
            if of_it.any():
                self._segment(f"category:{name}").add(rows.take(of_it), self.settings.fresh_seconds)

    def _segment(self, name: str) -> Segment:
        if name not in self.segments:
            self.segments[name] = Segment(SessionIntervals(self.settings.session_gap_seconds * 1000))
        return self.segments[name]
