"""People with a past, written straight into the store: what a feed request reads of each."""

from __future__ import annotations

import asyncio

import numpy as np

from actors.connections import Connections, EndpointSettings
from learners.user_state import ContentTraits, UserState, UserStateSettings
from messages.arrays import IntArray
from messages.identifiers import key_of

_USERS_PER_WRITE = 500
_SLATE = 20
_PAST_SECONDS = 3_600.0


def content_id(number: int) -> str:
    return f"bench-{number}"


def creator_id(number: int, num_creators: int) -> str:
    return f"bench-creator-{number % num_creators}"


def category(number: int) -> str:
    return f"bench-category-{number % 50}"


def write_people(
    endpoints: EndpointSettings,
    *,
    num_users: int,
    num_contents: int,
    history: int,
    served: int,
    now: float,
    seed: int = 0,
) -> None:
    """Give people `bench-user-0` ... a history, likes and served contents, drawn for each of them.

    A content is drawn by its popularity (its number's square root is uniform). They follow two creators each.
    """
    settings = UserStateSettings(max_history=max(history, 1))
    draws = np.random.default_rng(seed)
    num_creators = max(num_contents // 50, 1)

    async def write() -> None:
        async with await Connections.open(endpoints, "bench-people") as connections:
            key = connections.namespace.key
            for start in range(0, num_users, _USERS_PER_WRITE):
                pipeline = connections.redis.pipeline(transaction=False)
                for number in range(start, min(start + _USERS_PER_WRITE, num_users)):
                    user = f"bench-user-{number}"
                    contents = np.unique(
                        (draws.random(3 * (history + served)) ** 2 * num_contents).astype(int)
                    )
                    contents = draws.permutation(contents)
                    watched, shown = contents[:history], contents[history : history + served]
                    state = person_state(user, watched, num_creators, settings, now, draws)
                    pipeline.set(key("state", user), state.to_bytes())
                    pipeline.delete(key("served", user))
                    keys = np.array([key_of(content_id(one)) for one in shown], dtype="<u8")
                    for slate in range(0, len(keys), _SLATE):
                        pipeline.rpush(key("served", user), keys[slate : slate + _SLATE].tobytes())
                await pipeline.execute()

    asyncio.run(write())


def person_state(
    user: str,
    watched: IntArray,
    num_creators: int,
    settings: UserStateSettings,
    now: float,
    draws: np.random.Generator,
) -> UserState:
    """Return somebody who watched these contents (their numbers), newest last, liked a fifth of them and
    follows two creators."""
    state = UserState.empty(user)
    times = now - _PAST_SECONDS + np.sort(draws.random(len(watched))) * _PAST_SECONDS
    likes = draws.random(len(watched)) < 0.2
    for place, number in enumerate(watched.tolist()):
        name, creator = content_id(number), creator_id(number, num_creators)
        traits = ContentTraits(key_of(name), key_of(creator), key_of(category(number)), 30.0)
        about = {"user_id": user, "content_id": name}
        watching = {"event_type": "view", "watch_duration": float(draws.random() * 30.0), **about}
        state.apply(watching, float(times[place]), traits, settings)
        if likes[place]:
            state.apply({"event_type": "like", **about}, float(times[place]), traits, settings)
        if place in (3, 7):
            follow = {"event_type": "follow", "creator_id": creator, **about}
            state.apply(follow, float(times[place]), traits, settings)
    return state
