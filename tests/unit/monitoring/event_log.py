"""A random log of events of a few people, and EXAMPLES messages made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import IdArray
from messages.events import EVENT_TYPE_CODES
from messages.examples import HEAD_INDEX, HEADS, ExampleBatch, JoinedExamples, LabelKind
from messages.features import FeatureBatch, IdBags
from messages.identifiers import key_of

START = 20_000 * 86_400.0
CATEGORIES = ("cats", "dogs", "birds")
KINDS = ("view", "complete_view", "skip", "like", "share", "save", "follow", "hide", "report", "replay")


@dataclass(frozen=True)
class LoggedEvent:
    """labels: LabelKind by head. arm and model are None for an orphan."""

    user: int
    kind: str
    time: float
    creator: int
    category: int
    watch: float
    age: float
    arm: str | None
    model: str | None
    labels: tuple[int, ...]
    chance: float = float("nan")
    """Of an engagement, as served; NaN where that is not known."""


def labels_of(kind: str, generator: np.random.Generator) -> tuple[int, ...]:
    labels = [int(LabelKind.UNTRAINED)] * len(HEADS)
    if kind in ("view", "complete_view", "skip"):
        labels = [int(LabelKind.PROVISIONAL_NEGATIVE)] * len(HEADS)
        outcome = {"engage": kind != "skip", "long_view": generator.random() < 0.4}
        outcome["complete"] = kind == "complete_view"
        for head, happened in outcome.items():
            labels[HEAD_INDEX[head]] = int(
                LabelKind.OBSERVED_POSITIVE if happened else LabelKind.OBSERVED_NEGATIVE
            )
    elif kind in HEADS:
        labels[HEAD_INDEX[kind]] = int(generator.choice([LabelKind.EARLY_POSITIVE, LabelKind.LATE_POSITIVE]))
    elif kind in ("hide", "report"):
        labels[HEAD_INDEX["negative"]] = int(LabelKind.LATE_POSITIVE)
    return tuple(labels)


def random_log(seed: int, n: int, days: int = 4, people: int = 6) -> list[LoggedEvent]:
    generator = np.random.default_rng(seed)
    events = []
    for _ in range(n):
        kind = str(generator.choice(KINDS))
        orphan = generator.random() < 0.2
        # Bursts, so that some gaps are below and some above half an hour, and times in whole minutes,
        # so that some are exactly that long.
        minute = int(generator.integers(days * 24)) * 60 + int(generator.integers(8)) * 10
        events.append(
            LoggedEvent(
                user=int(generator.integers(1, people + 1)),
                kind=kind,
                time=START + minute * 60.0,
                creator=int(generator.integers(0, 5)),
                category=key_of(CATEGORIES[generator.integers(3)]),
                watch=float(np.float32(generator.exponential(9))) if kind.endswith("view") else 0.0,
                age=float(generator.choice([np.nan, 3600.5, 86_400.0, 86_401.0, 9e6])),
                arm=None if orphan else str(generator.choice(["one/control", "one/new", "holdout"])),
                model=None if orphan else str(generator.choice(["production", "candidate"])),
                labels=(0,) * len(HEADS) if orphan else labels_of(kind, generator),
                chance=float(np.float32(generator.choice([generator.random(), 0.0, 1.0, np.nan, 1.5]))),
            )
        )
    return events


def message_of(events: list[LoggedEvent], uploads: tuple[int, ...] = ()) -> ExampleBatch:
    """One EXAMPLES message; the creators in `uploads` upload something besides."""
    joined = [row for row, event in enumerate(events) if event.arm is not None]
    found = [events[row] for row in joined]
    k, n = len(found), len(events) + len(uploads)
    upload_code = EVENT_TYPE_CODES["content_upload"]
    zeros = np.zeros(k, np.float32)
    return ExampleBatch(
        event_types=np.array(
            [EVENT_TYPE_CODES[event.kind] for event in events] + [upload_code] * len(uploads), np.uint8
        ),
        times=np.array([event.time for event in events] + [START] * len(uploads), np.float64),
        user_keys=np.array([event.user for event in events] + list(uploads), np.uint64),
        content_keys=np.zeros(n, np.uint64),
        creator_keys=np.array([event.creator for event in events] + list(uploads), np.uint64),
        long_views=np.zeros(n, np.bool_),
        watch_seconds=np.array([event.watch for event in events] + [0.0] * len(uploads), np.float32),
        joined=JoinedExamples(
            rows=np.array(joined, np.int64),
            features=FeatureBatch(
                ids={"category": np.array([event.category for event in found], np.uint64)},
                bags={"traits": IdBags.of([traits_of(event.user) for event in found])},
                dense=np.array([[event.age] for event in found], np.float32).reshape(k, 1),
                counters=None,
            ),
            labels=np.array([event.labels for event in found], np.uint8).reshape(k, len(HEADS)),
            watch_seconds=zeros,
            slate_positions=np.zeros(k, np.int64),
            propensities=zeros,
            served_scores=zeros,
            request_keys=np.zeros(k, np.uint64),
            arms=[event.arm or "" for event in found],
            model_ids=[event.model or "" for event in found],
            model_versions=[""] * k,
            engage_chances=np.array([event.chance for event in found], np.float32)
            if not np.isnan([event.chance for event in found]).all()
            else None,
        )
        if found
        else None,
        uploads=None,
    )


def content_ages(features: FeatureBatch) -> np.ndarray:
    return features.dense[:, 0].astype(np.float64)


def traits_of(user: int) -> IdArray:
    """Of a person's profile: 100 or 101 by age group, and 200 where they have told where they are."""
    return np.array([100 + user % 2] + [200] * (user % 3 == 0), dtype=np.uint64)
