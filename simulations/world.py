"""A small world whose truth is known: people with tastes, contents with qualities, and what comes of both.

The log-odds that person u, who has it in hand, views content i instead of skipping it (so the odds are a
product of taste, quality, mood and boredom):

    logit(u, i) = bias + (1 - m_i) T[u, topic_i] + m_i T[u, second_topic_i]     taste over topics
                  + C(u, creator_i)                                             liked and disliked creators
                  + w (s_u . v_i) / sqrt(d)                                     hidden style
                  + q_i                                                         quality
                  + mood(u, session) - boredom(topic_i so far in the session)   see `behaviour.py`
                  - position_bias log(1 + place in the slate)
                  + boost(i, t)                        trends; T moves with t too, see `dynamics.py`

T, C, s, v, q and m are hidden: a model sees categories, tags, creators, durations and what people do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray, DoubleArray, IntArray
from messages.content import ContentFacts
from simulations.dynamics import DynamicsSettings, WorldDynamics, table_of_tags
from simulations.hashed_draws import uniform_draws
from simulations.people import People, draw_people
from simulations.published_contents import PublishedContents, draw_contents

_CREATOR_TASTE = np.array([101], dtype=np.uint64)


class WorldSettings(BaseModel):
    """How large the world is and how strong its forces are (log-odds)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_people: int = Field(default=200, ge=1)
    num_contents: int = Field(default=3_000, ge=1)
    num_creators: int = Field(default=200, ge=1)
    num_topics: int = Field(default=12, ge=5)
    style_dimension: int = Field(default=4, ge=1)
    seed: int = 0

    bias: float = 0.0
    style_weight: float = 0.5
    topic_skew: float = Field(default=0.1, ge=0)
    """The k-th topic's share of likes and of contents goes with k to the minus this."""
    liked_creators: float = Field(default=0.10, ge=0, le=1)
    disliked_creators: float = Field(default=0.05, ge=0, le=1)
    creator_taste: float = 1.0
    mood_deviation: float = Field(default=0.4, ge=0)
    boredom: float = Field(default=0.2, ge=0)
    boredom_memory: float = Field(default=0.85, ge=0, lt=1)
    """What is left of a topic's weight in memory after one more content."""
    position_bias: float = Field(default=0.0, ge=0)
    bot_share: float = Field(default=0.0, ge=0, lt=1)
    """The last so many of the people are bots, see `bots.py`."""
    dynamics: DynamicsSettings = DynamicsSettings()


class World:
    """People, contents, and the truth about them. Everything is a function of the settings."""

    def __init__(self, settings: WorldSettings) -> None:
        generator = np.random.default_rng(settings.seed)
        shares = np.arange(1, settings.num_topics + 1, dtype=np.float64) ** -settings.topic_skew
        shares /= shares.sum()
        self.settings = settings
        self.people: People = draw_people(settings.num_people, shares, settings.style_dimension, generator)
        contents = draw_contents(
            settings.num_contents, settings.num_creators, shares, settings.style_dimension, generator
        )
        self.dynamics = WorldDynamics(
            settings.dynamics,
            settings.seed,
            settings.num_topics,
            table_of_tags(contents.tags),
            contents.topics,
        )
        self.contents: PublishedContents = replace(contents, ages=self.dynamics.upload_ages(contents.ages))
        self._creator_tastes: dict[int, DoubleArray] = {}

    @property
    def num_bots(self) -> int:
        return round(self.settings.bot_share * len(self.people))

    def uploaded(self, time: float) -> BoolArray:
        """Say which contents are there `time` seconds after the start, bool [contents]."""
        there: BoolArray = -self.contents.ages <= time
        return there

    def catalogue(self, start_time: float) -> list[ContentFacts]:
        """Return the facts of every content, in the order of their indices; `start_time`: epoch seconds."""
        return [self.contents.facts(index, start_time) for index in range(len(self.contents))]

    def creator_taste(self, person: int, creators: IntArray) -> DoubleArray:
        """Return the log-odds that each creator adds for this person, float64 [n]."""
        tastes = self._creator_tastes.get(person)
        if tastes is None:
            settings = self.settings
            numbers = np.arange(settings.num_creators, dtype=np.uint64)
            draws = uniform_draws(settings.seed, _CREATOR_TASTE, numbers, person)[0]
            liked = draws < settings.liked_creators
            disliked = draws >= 1.0 - settings.disliked_creators
            tastes = self._creator_tastes[person] = settings.creator_taste * (
                liked.astype(np.float64) - disliked
            )
        return tastes[creators]

    def true_logits(self, person: int, contents: IntArray, time: float = 0.0) -> DoubleArray:
        """Return the log-odds of a view in a neutral mood and without boredom, float64 [n].

        time: seconds since the world began.
        """
        settings, published = self.settings, self.contents
        tastes = self.dynamics.tastes(person, self.people.topic_tastes[person], time)
        second = published.second_shares[contents]
        style = published.styles[contents] @ self.people.styles[person] / np.sqrt(settings.style_dimension)
        logits: DoubleArray = (
            settings.bias
            + (1.0 - second) * tastes[published.topics[contents]]
            + second * tastes[published.second_topics[contents]]
            + self.creator_taste(person, published.creators[contents])
            + settings.style_weight * style
            + published.qualities[contents]
            + self.dynamics.boosts(contents, time)
        )
        return logits

    def true_engagement_probability(self, person: int, contents: IntArray, time: float = 0.0) -> DoubleArray:
        """Return the chance that a person views each content, mood and boredom aside, float64 [n]."""
        probabilities: DoubleArray = 1.0 / (1.0 + np.exp(-self.true_logits(person, contents, time)))
        return probabilities
