"""What a simulated person does with a slate: views or skips, watches for a while, now and then says more.

Within a session, with B[t] the weight of topic t in memory (halved by about four other contents):

    p        = sigmoid(true_logit + mood(u, session) - boredom * B[topic])  viewed where a draw is below
    B        = memory * B, then B[topic] += 1
    s        = sigmoid(true_logit + 0.5 z)                                  satisfaction with what was viewed
    fraction = 0.25 + 0.9 s + 0.2 z'                                        watched; complete where it is 1
    like, comment, share, save: 0.22 s^2, 0.04 s^2, 0.06 s^3, 0.05 s^3      replay (complete only): 0.08 s
    follow: 0.25 s for a liked creator, 0.01 s for another, once
    hide, report (skipped only): 0.12 (1 - s)^4, 0.01 (1 - s)^4

Every draw is a hash of (seed, person, content), see `hashed_draws.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import BoolArray, DoubleArray, IntArray
from simulations.hashed_draws import to_normal, uniform_draws
from simulations.world import World

_DRAWS = (
    "view", "skip_time", "satisfaction", "satisfaction_angle", "fraction", "fraction_angle",
    "like", "comment", "share", "save", "replay", "follow", "hide", "report",
)  # fmt: skip
_PURPOSES = np.arange(1, len(_DRAWS) + 1, dtype=np.uint64)
_MOOD = np.array([201, 202], dtype=np.uint64)

_EVENT_SPACING = 0.001
"""Seconds between the times of two events of one slate: they arrive together and keep their order."""


@dataclass(frozen=True, slots=True)
class WatchedSlate:
    """What one person did with n contents.

    viewed: bool [n], and not skipped. watch_seconds: float64 [n]. events: wire maps without ids, in order.
    pleasure: mean satisfaction over the slate, 0 for what was skipped.
    """

    viewed: BoolArray
    watch_seconds: DoubleArray
    events: list[dict[str, Any]]
    pleasure: float = 0.0


class Viewer:
    """One person in one copy of the world, with the memory of the running session.

    moment: seconds since the world began, moved by whoever lets time pass.
    """

    def __init__(self, world: World, person: int) -> None:
        self.world = world
        self.person = person
        self.user_id = world.people.ids[person]
        self.moment = 0.0
        self._session = -1
        self._mood = 0.0
        self._memory = world.settings.boredom_memory
        self._topic_weights = np.zeros(world.settings.num_topics)
        self._followed: set[int] = set()
        self.start_session()

    def start_session(self) -> None:
        """Begin anew: another mood, no boredom."""
        settings = self.world.settings
        self._session += 1
        session = np.array([self._session], dtype=np.uint64)
        draws = uniform_draws(settings.seed, _MOOD, session, self.person)
        self._mood = settings.mood_deviation * float(to_normal(draws[0], draws[1])[0])
        self._topic_weights[:] = 0.0

    def logits(self, contents: IntArray) -> DoubleArray:
        """Return the log-odds of a view of each content, were it the next one, float64 [n]."""
        bored = self.world.settings.boredom * self._topic_weights[self.world.contents.topics[contents]]
        logits: DoubleArray = self.world.true_logits(self.person, contents, self.moment) + self._mood - bored
        return logits

    def watch(self, contents: IntArray, now: float, request_id: str | None = None) -> WatchedSlate:
        """Watch a slate from top to bottom.

        contents: indices, int64 [n]. now: epoch seconds, the time of the last event.
        """
        world, settings = self.world, self.world.settings
        drawn = uniform_draws(settings.seed, _PURPOSES, contents.astype(np.uint64), self.person)
        luck = dict(zip(_DRAWS, drawn, strict=True))
        likings = world.true_logits(self.person, contents, self.moment)
        places = settings.position_bias * np.log1p(np.arange(len(contents)))
        viewed = self._viewed(contents, likings + self._mood - places, luck["view"])
        durations = world.contents.durations[contents]
        noise = to_normal(luck["satisfaction"], luck["satisfaction_angle"])
        satisfaction: DoubleArray = 1.0 / (1.0 + np.exp(-(likings + 0.5 * noise)))
        spread = to_normal(luck["fraction"], luck["fraction_angle"])
        fractions = np.clip(0.25 + 0.9 * satisfaction + 0.2 * spread, 0.1, 1.0)
        skip_seconds = np.minimum(-1.2 * np.log1p(-luck["skip_time"]), 0.3 * durations)
        watch_seconds: DoubleArray = np.where(viewed, fractions * durations, skip_seconds).round(2)
        events = self._events(contents, viewed, fractions >= 1.0, watch_seconds, satisfaction, luck)
        for place, event in enumerate(events):
            event["timestamp"] = now - _EVENT_SPACING * (len(events) - 1 - place)
            if request_id is not None:
                event["request_id"] = request_id
        pleasure = float((satisfaction * viewed).mean()) if len(contents) else 0.0
        return WatchedSlate(viewed, watch_seconds, events, pleasure)

    def _viewed(self, contents: IntArray, logits: DoubleArray, luck: DoubleArray) -> BoolArray:
        """Decide one after the other, since what was just shown bores; moves the session's memory."""
        boredom, memory, weights = self.world.settings.boredom, self._memory, self._topic_weights
        thresholds = (np.log(luck) - np.log1p(-luck)).tolist()  # luck < sigmoid(x) where logit(luck) < x
        viewed = []
        for topic, logit, threshold in zip(
            self.world.contents.topics[contents].tolist(), logits.tolist(), thresholds, strict=True
        ):
            viewed.append(threshold < logit - boredom * weights[topic])
            weights *= memory
            weights[topic] += 1.0
        return np.array(viewed, dtype=np.bool_)

    def _events(
        self,
        contents: IntArray,
        viewed: BoolArray,
        complete: BoolArray,
        watch_seconds: DoubleArray,
        satisfaction: DoubleArray,
        luck: Mapping[str, DoubleArray],
    ) -> list[dict[str, Any]]:
        square, cube, regret = satisfaction**2, satisfaction**3, (1.0 - satisfaction) ** 4
        happens = {
            "replay": viewed & complete & (luck["replay"] < 0.08 * satisfaction),
            "like": viewed & (luck["like"] < 0.22 * square),
            "comment": viewed & (luck["comment"] < 0.04 * square),
            "share": viewed & (luck["share"] < 0.06 * cube),
            "save": viewed & (luck["save"] < 0.05 * cube),
            "hide": ~viewed & (luck["hide"] < 0.12 * regret),
            "report": ~viewed & (luck["report"] < 0.01 * regret),
        }
        creators = self.world.contents.creators[contents]
        fondness = np.where(self.world.creator_taste(self.person, creators) > 0, 0.25, 0.01)
        follows = viewed & (luck["follow"] < fondness * satisfaction)
        events: list[dict[str, Any]] = []
        for place, content in enumerate(contents.tolist()):
            about = {"user_id": self.user_id, "content_id": self.world.contents.id_of(content)}
            kind = "skip" if not viewed[place] else "complete_view" if complete[place] else "view"
            seconds = float(watch_seconds[place])
            events.append({"event_type": kind, **about, "watch_duration": seconds})
            events.extend({"event_type": name, **about} for name, yes in happens.items() if yes[place])
            creator = int(creators[place])
            if follows[place] and creator not in self._followed:
                self._followed.add(creator)
                creator_id = self.world.contents.creator_id_of(creator)
                events.append({"event_type": "follow", **about, "creator_id": creator_id})
        return events
