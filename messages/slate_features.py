"""The features of one slate as impressions carry them: the person's once, however many contents there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from messages.arrays import FloatArray, IdArray
from messages.codec import MalformedMessageError

FACT_IDS: dict[str, str] = {
    "content": "content_keys",
    "creator": "creator_keys",
    "category": "category_keys",
    "audio": "audio_keys",
}
FACT_BAGS: tuple[str, ...] = ("tags",)
"""Features that are facts of a content, with the columns that hold them: an impression has those anyway."""

_MAX_LAYOUTS = 64


@dataclass(frozen=True, slots=True)
class SlateLayout:
    """Which features stand where: the person's ids and bags, and what ids of a content besides FACT_IDS; then
    how many numbers of a whole row are the person's and the pair's, and how many counters follow, if any."""

    person_ids: tuple[str, ...]
    person_bags: tuple[str, ...]
    content_ids: tuple[str, ...]
    num_person: int
    num_pair: int
    num_counters: int

    @property
    def num_of_content(self) -> int:
        return self.num_pair + self.num_counters

    @property
    def ids(self) -> tuple[str, ...]:
        """All id features, in the order of a whole row."""
        return (*self.person_ids, *FACT_IDS, *self.content_ids)

    @property
    def bags(self) -> tuple[str, ...]:
        return (*self.person_bags, *FACT_BAGS)

    def to_wire(self) -> str:
        return _text_of(self)

    @classmethod
    def from_wire(cls, text: str) -> SlateLayout:
        """Raises MalformedMessageError."""
        return _layout_of(text)


@lru_cache(maxsize=_MAX_LAYOUTS)
def _text_of(layout: SlateLayout) -> str:
    names = (layout.person_ids, layout.person_bags, layout.content_ids)
    return ";".join([*map(" ".join, names), f"{layout.num_person} {layout.num_pair} {layout.num_counters}"])


@lru_cache(maxsize=_MAX_LAYOUTS)
def _layout_of(text: str) -> SlateLayout:
    try:
        ids, bags, content_ids, widths = (part.split() for part in text.split(";"))
        num_person, num_pair, num_counters = map(int, widths)
    except (AttributeError, ValueError) as error:
        raise MalformedMessageError("a layout is three lists of names and one of three widths") from error
    return SlateLayout(tuple(ids), tuple(bags), tuple(content_ids), num_person, num_pair, num_counters)


@dataclass(frozen=True, slots=True)
class SlateFeatures:
    """One person at one moment beside n contents, whose facts stand elsewhere; in two arrays, since many
    small ones cost both sides more than what is in them.

    keys: uint64, the person's ids, then their bags behind each other, then for each of the layout's ids of a
    content n of them. bag_ends: where each bag ends, counted from the first. numbers: float32, the person's,
    then those of each content, pair before counters.
    """

    layout: SlateLayout
    bag_ends: list[int]
    keys: IdArray
    numbers: FloatArray

    def __len__(self) -> int:
        return (len(self.numbers) - self.layout.num_person) // self.layout.num_of_content

    @property
    def person_ids(self) -> IdArray:
        """One for each of the layout's."""
        return self.keys[: len(self.layout.person_ids)]

    @property
    def bag_values(self) -> IdArray:
        start = len(self.layout.person_ids)
        return self.keys[start : start + self.bag_ends[-1]]

    @property
    def content_ids(self) -> IdArray:
        """Return uint64 [k, n], a row for each of the layout's."""
        start = len(self.layout.person_ids) + self.bag_ends[-1]
        return self.keys[start:].reshape(len(self.layout.content_ids), -1)

    @property
    def person_numbers(self) -> FloatArray:
        return self.numbers[: self.layout.num_person]

    @property
    def content_numbers(self) -> FloatArray:
        """Return float32 [n, pair's and counters]."""
        return self.numbers[self.layout.num_person :].reshape(-1, self.layout.num_of_content)

    def to_wire(self) -> dict[str, Any]:
        return {
            "layout": self.layout.to_wire(),
            "bag_ends": self.bag_ends,
            "keys": self.keys,
            "numbers": self.numbers,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SlateFeatures:
        """Decode what `to_wire` made; `learners/feature_shape.py` says whether it fits together."""
        return cls(SlateLayout.from_wire(wire["layout"]), wire["bag_ends"], wire["keys"], wire["numbers"])
