"""A FEED as live traffic fills it: slates with the features they were served with, and one event a content.

A replayed log has an impression for every event and brings no features, so it costs a joiner several times as
much as the same number of events from an app.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from learners.features.assembly import assemble_request
from learners.user_state import UserState
from messages.content import ContentColumns
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import partition_of
from messages.impressions import Impression, RequestContext
from messages.updates import CounterRows
from simulations.benchmarks.learning_feed import BENCHMARK_MODEL, LearningFeedSettings, content_facts

_VIEWERS = 1_000
"""How many people watch at once, each at another place of their slate: at 1,000 events a second those of one
person are a second apart, and slates come evenly."""


def live_messages(settings: LearningFeedSettings, slate: int) -> Iterator[tuple[int, bytes]]:
    """Yield partition and encoded message of `settings.num_pairs` events, each in a message of its own.

    The first event of a slate of so many contents comes with its impression.
    """
    draws = np.random.default_rng(settings.seed)
    contents = [content_facts(number) for number in range(settings.num_contents)]
    popularity = 1.0 / np.arange(1, settings.num_contents + 1)
    popularity /= popularity.sum()
    engaged = draws.random(settings.num_pairs) < 0.45
    num_viewers = min(_VIEWERS, settings.num_users)
    shown: dict[int, tuple[str, list[str]]] = {}
    number = -1
    for visit in itertools.count():
        viewer, turn = visit % num_viewers, visit // num_viewers
        user_id, place = f"u{viewer}", (turn + viewer) % slate
        if place and viewer not in shown:
            continue  # comes when a slate begins: slates come evenly from the start
        number += 1
        if number == settings.num_pairs:
            return
        time = settings.start + number / settings.events_per_s
        records: list[tuple[RecordKind, object]] = []
        if place == 0:
            rows = draws.choice(settings.num_contents, min(slate, settings.num_contents), False, popularity)
            columns = ContentColumns.of([contents[row] for row in rows])
            shown[viewer] = f"r{settings.run}{number}", columns.content_ids
            records.append(("impression", _served(shown[viewer][0], user_id, time, columns).to_wire()))
        request_id, content_ids = shown[viewer]
        records.append(
            (
                "event",
                {
                    "event_type": "view" if engaged[number] else "skip",
                    "event_id": f"e{settings.run}{number}",
                    "timestamp": time,
                    "user_id": user_id,
                    "content_id": content_ids[place % len(content_ids)],
                    "request_id": request_id,
                    "watch_duration": 15.0 if engaged[number] else 1.0,
                },
            )
        )
        yield partition_of(user_id, settings.num_partitions), FeedMessage(records).encode()


def _served(request_id: str, user_id: str, time: float, contents: ContentColumns) -> Impression:
    context = RequestContext(surface="home", device="phone")
    num_contents = len(contents)
    state, counters = UserState.empty(user_id), CounterRows.zeros(contents.content_keys)
    features = assemble_request(state, None, context, contents, time, counters)
    return Impression(
        request_id=request_id,
        user_id=user_id,
        timestamp=time,
        model=BENCHMARK_MODEL,
        arm="live",
        context=context,
        contents=contents,
        propensities=np.full(num_contents, np.nan, dtype=np.float32),
        scores=np.linspace(1, 0, num_contents, dtype=np.float32),
        sources=["ann"] * num_contents,
        features=features.take(np.arange(num_contents)),
    )
