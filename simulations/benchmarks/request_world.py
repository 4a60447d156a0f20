"""A replica of a large catalogue and people with a past, made in this process: what one request reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actors.model_groups import model_plan
from learners.content_births import birth_rows
from learners.features.schema import CATEGORY_SLOT, CREATOR_SLOT, RETRIEVAL_SLOT
from learners.ranking_model import initial_dense_weights
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from learners.user_state import UserStateSettings
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns
from messages.features import IdBags
from messages.feed import FeedMessage
from messages.identifiers import keys_of
from messages.impressions import Impression, ModelVersion
from messages.stored_user import StoredUser
from messages.updates import CounterRows, ModelDelta, Rows
from messages.uploads import Uploads
from serve_app.index_keeper import IndexKeeper
from serve_app.model_replica import ModelReplica
from serve_app.serving_metrics import ServingMetrics
from simulations.benchmarks.serve_people import category, content_id, creator_id, person_state

_GROUP = "production"
_CONTENTS_PER_STEP = 50_000
_TAGS = 2_000
_PAST_SECONDS = 864_000.0
_WEIGHT_NOISE = 0.02


def make_replica(num_contents: int, *, now: float, seed: int = 0) -> ModelReplica:
    """Return a replica of contents as `serve_contents` writes them, with their births and drawn weights."""
    training = TrainingSettings()
    plan = model_plan(training, 16)
    replica = ModelReplica(_GROUP, plan.settings.slots, RETRIEVAL_SLOT, content_vectors)
    draws = np.random.default_rng(seed)
    dense = {
        name: weight + draws.normal(scale=_WEIGHT_NOISE, size=weight.shape).astype(np.float32)
        if weight.size < 100_000 and "." in name and not name.startswith(("scaling", "text"))
        else weight
        for name, weight in initial_dense_weights(training.model).items()
    }
    replica.apply_whole(_delta(1, dense=dense))
    num_creators = max(num_contents // 50, 1)
    names = {
        CREATOR_SLOT: keys_of(creator_id(number, num_creators) for number in range(num_creators)),
        CATEGORY_SLOT: keys_of(category(number) for number in range(50)),
    }
    for counter, start in enumerate(range(0, num_contents, _CONTENTS_PER_STEP), start=2):
        stop = min(start + _CONTENTS_PER_STEP, num_contents)
        contents = _contents(start, stop, num_contents, now, draws)
        none = [np.empty(0, dtype=np.float32)] * len(contents)
        uploads = Uploads(contents, IdBags.of([keys_of([])] * len(contents)), none, none)
        rows = birth_rows(uploads, training.model)
        if start == 0:
            rows |= {
                slot: Rows(
                    keys,
                    draws.normal(scale=0.1, size=(len(keys), replica.dimensions[slot])).astype(np.float32),
                )
                for slot, keys in names.items()
            }
        replica.apply_whole(
            _delta(counter, rows=rows, contents=contents, counters=_counters(contents, now, draws))
        )
    return replica


def tend_index(replica: ModelReplica) -> float:
    """Let the index learn lists where there are many contents, and return the recall it measures."""
    metrics = ServingMetrics()
    asyncio.run(IndexKeeper(replica, metrics, sleep=lambda _: asyncio.sleep(0)).tend())
    return float(metrics.registry.get_sample_value("foryou_ann_recall") or 0.0)


def _delta(
    counter: int,
    *,
    rows: dict[str, Rows] | None = None,
    dense: dict[str, FloatArray] | None = None,
    contents: ContentColumns | None = None,
    counters: CounterRows | None = None,
) -> ModelDelta:
    return ModelDelta(
        version=ModelVersion(_GROUP, "a", counter),
        previous=-1 if counter == 1 else counter - 1,
        full=counter == 1,
        rows=rows or {},
        removed={},
        dense=dense or {},
        counters=counters,
        contents=contents,
        removed_contents=np.empty(0, dtype=np.uint64),
        positions={},
        created_at=0.0,
    )


def _contents(
    start: int, stop: int, num_contents: int, now: float, draws: np.random.Generator
) -> ContentColumns:
    numbers = range(start, stop)
    num_creators = max(num_contents // 50, 1)
    content_ids = [content_id(number) for number in numbers]
    creator_ids = [creator_id(number, num_creators) for number in numbers]
    categories = [category(number) for number in numbers]
    tags = keys_of(f"tag-{tag}" for tag in range(_TAGS))
    missing = np.zeros(len(numbers), dtype=np.uint64)
    return ContentColumns(
        content_ids=content_ids,
        creator_ids=creator_ids,
        categories=categories,
        content_keys=keys_of(content_ids),
        creator_keys=keys_of(creator_ids),
        category_keys=keys_of(categories),
        audio_keys=missing,
        language_keys=missing,
        tags=IdBags(
            tags[draws.integers(_TAGS, size=3 * len(numbers))],
            np.arange(len(numbers) + 1, dtype=np.int64) * 3,
        ),
        durations=(5 + draws.random(len(numbers)) * 55).round(1).astype(np.float32),
        upload_times=now - draws.random(len(numbers)) * _PAST_SECONDS,
    )


def _counters(contents: ContentColumns, now: float, draws: np.random.Generator) -> CounterRows:
    """Let a tenth of the contents have been watched."""
    watched = draws.random(len(contents)) < 0.1
    counters = CounterRows.zeros(contents.content_keys[watched])
    counters.totals[:] = draws.integers(0, 50, counters.totals.shape)
    counters.decayed[:] = draws.random(counters.decayed.shape) * 20
    counters.times[:] = now - 30
    return counters


class MemoryUserStore:
    """People in a dict, as the store would give them."""

    def __init__(self, people: dict[str, StoredUser]) -> None:
        self._people = people

    async def load(self, user_id: str, _groups: Sequence[str]) -> StoredUser:
        return self._people[user_id]

    async def add_served(self, user_id: str, keys: IdArray, group: str, counter: int) -> None:
        """Forget it: every request of a person costs the same."""


@dataclass(slots=True)
class EncodingPublisher:
    """Encodes impressions as they go to the broker. num_bytes: of all of them."""

    num_bytes: int = 0
    num_messages: int = 0

    async def publish_impression(self, impression: Impression) -> int:
        self.num_bytes += len(FeedMessage([("impression", impression.to_wire())]).encode())
        self.num_messages += 1
        return self.num_messages


def make_people(
    replica: ModelReplica,
    *,
    num_users: int,
    num_contents: int,
    history: int,
    served: int,
    now: float,
    seed: int = 0,
) -> dict[str, StoredUser]:
    """Return people as `serve_people` writes them, each with a row of their own."""
    draws = np.random.default_rng(seed)
    settings = UserStateSettings(max_history=max(history, 1))
    num_creators = max(num_contents // 50, 1)
    people = {}
    for number in range(num_users):
        user = f"bench-user-{number}"
        contents = np.unique((draws.random(3 * (history + served)) ** 2 * num_contents).astype(int))
        contents = draws.permutation(contents)
        state = person_state(user, contents[:history], num_creators, settings, now, draws)
        row = draws.normal(scale=0.1, size=replica.dimensions["user"]).astype(np.float32)
        people[user] = StoredUser(
            state=state.to_bytes(),
            profile=None,
            served=keys_of(content_id(one) for one in contents[history : history + served]),
            rows={replica.row_group: {"user": row}},
            shown={},
            notice=0,
        )
    return people
