"""The people of the simulated world: what each of them likes, which no model is ever shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import DoubleArray


@dataclass(frozen=True, slots=True)
class People:
    """n people.

    ids: their names on the wire. topic_tastes: log-odds that a topic adds, float64 [n, topics]: a person
    likes 2 to 4 topics strongly, and dislikes one or two. styles: the person's side of a hidden style that no
    category or tag names, float64 [n, style_dimension]. activity: how often a person opens the app, mean 1,
    float64 [n].
    """

    ids: tuple[str, ...]
    topic_tastes: DoubleArray
    styles: DoubleArray
    activity: DoubleArray

    def __len__(self) -> int:
        return len(self.ids)


def draw_people(
    num_people: int, topic_shares: DoubleArray, style_dimension: int, generator: np.random.Generator
) -> People:
    """Draw people; `topic_shares` float64 [topics] says how often each topic is among the liked ones.

    A taste is N(1.5, 0.3) where liked, N(-1.3, 0.4) where not, and 0.9 lower still for a topic disliked.
    """
    num_topics = len(topic_shares)
    tastes = generator.normal(-1.3, 0.4, size=(num_people, num_topics))
    num_liked = generator.integers(2, 5, size=num_people)
    num_disliked = generator.integers(1, 3, size=num_people)
    # Gumbel's trick: the order of log-share + Gumbel noise is a draw without replacement by share.
    order = np.argsort(-(np.log(topic_shares) + generator.gumbel(size=tastes.shape)), axis=1)
    places = np.argsort(order, axis=1)
    liked = places < num_liked[:, None]
    disliked = places >= num_topics - num_disliked[:, None]
    tastes[liked] = generator.normal(1.5, 0.3, size=int(liked.sum()))
    tastes[disliked] -= 0.9
    styles = generator.normal(0.0, 1.0, size=(num_people, style_dimension))
    activity = generator.lognormal(0.0, 0.5, size=num_people)
    return People(
        ids=tuple(f"person-{index:05d}" for index in range(num_people)),
        topic_tastes=tastes,
        styles=styles,
        activity=activity / activity.mean(),
    )
