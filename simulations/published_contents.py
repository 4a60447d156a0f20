"""The contents of the simulated world: what their creators say of them, and what only the world knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import DoubleArray, IntArray
from messages.content import ContentFacts
from messages.events import ContentMetadata

TOPIC_NAMES: tuple[str, ...] = (
    "comedy", "music", "football", "cooking", "gaming", "pets", "travel", "fashion", "fitness", "science",
    "art", "cars",
)  # fmt: skip
TAGS_PER_TOPIC = 8
NUM_AUDIO_TRACKS = 200
UPLOAD_DAYS = 7


def topic_name(topic: int) -> str:
    return TOPIC_NAMES[topic] if topic < len(TOPIC_NAMES) else f"topic-{topic:02d}"


def _tag_name(tag: int) -> str:
    topic, number = divmod(tag, TAGS_PER_TOPIC)
    return f"{topic_name(topic)}-{number}"


@dataclass(frozen=True, slots=True)
class PublishedContents:
    """n contents.

    Said by the creator: topics (the category), creators: int64 [n]; tags: per content, tag numbers
    (topic * TAGS_PER_TOPIC + k), one in five of a wrong topic; durations: seconds, float64 [n]; audio:
    int64 [n]; ages: seconds between the upload and the start of the world, float64 [n].
    Hidden: second_topics int64 [n] with second_shares float64 [n], the part that is about another topic;
    qualities: float64 [n], mean 0, few are very good; styles: float64 [n, style_dimension].
    """

    topics: IntArray
    creators: IntArray
    tags: tuple[tuple[int, ...], ...]
    durations: DoubleArray
    audio: IntArray
    ages: DoubleArray
    second_topics: IntArray
    second_shares: DoubleArray
    qualities: DoubleArray
    styles: DoubleArray

    def __len__(self) -> int:
        return len(self.topics)

    @staticmethod
    def id_of(index: int) -> str:
        return f"content-{index:06d}"

    @staticmethod
    def index_of(content_id: str) -> int:
        return int(content_id.removeprefix("content-"))

    @staticmethod
    def creator_id_of(creator: int) -> str:
        return f"creator-{creator:05d}"

    def facts(self, index: int, start_time: float) -> ContentFacts:
        """Return what the catalogue may know of a content; `start_time`: of the world, epoch seconds."""
        tags = tuple(_tag_name(tag) for tag in self.tags[index])
        return ContentFacts(
            content_id=self.id_of(index),
            creator_id=self.creator_id_of(int(self.creators[index])),
            upload_timestamp=start_time - float(self.ages[index]),
            metadata=ContentMetadata(
                category=topic_name(int(self.topics[index])),
                tags=tags,
                description=" ".join(f"#{tag}" for tag in tags),
                duration=round(float(self.durations[index]), 1),
                language="en",
                audio_id=f"audio-{int(self.audio[index]):04d}",
            ),
        )


def draw_contents(
    num_contents: int,
    num_creators: int,
    topic_shares: DoubleArray,
    style_dimension: int,
    generator: np.random.Generator,
) -> PublishedContents:
    """Draw contents. A creator keeps to one topic nine times in ten; few creators publish most contents."""
    num_topics = len(topic_shares)
    creator_topics = generator.choice(num_topics, size=num_creators, p=topic_shares)
    creator_quality = generator.normal(0.0, 0.2, size=num_creators)
    output = generator.lognormal(0.0, 0.8, size=num_creators)
    creators = generator.choice(num_creators, size=num_contents, p=output / output.sum())
    elsewhere = generator.random(num_contents) < 0.1
    topics = np.where(
        elsewhere, generator.choice(num_topics, size=num_contents, p=topic_shares), creator_topics[creators]
    )
    second_topics = (topics + generator.integers(1, num_topics, size=num_contents)) % num_topics
    qualities = generator.gamma(1.5, 0.25, size=num_contents) - 0.375 + creator_quality[creators]
    tracks = 1.0 / np.arange(1, NUM_AUDIO_TRACKS + 1)
    return PublishedContents(
        topics=topics.astype(np.int64),
        creators=creators.astype(np.int64),
        tags=_draw_tags(topics, num_topics, generator),
        durations=np.clip(generator.lognormal(3.0, 0.6, size=num_contents), 5.0, 120.0),
        audio=generator.choice(NUM_AUDIO_TRACKS, size=num_contents, p=tracks / tracks.sum()).astype(np.int64),
        ages=generator.uniform(60.0, UPLOAD_DAYS * 86_400.0, size=num_contents),
        second_topics=second_topics.astype(np.int64),
        second_shares=generator.uniform(0.0, 0.3, size=num_contents),
        qualities=qualities,
        styles=generator.normal(0.0, 1.0, size=(num_contents, style_dimension)),
    )


def _draw_tags(
    topics: IntArray, num_topics: int, generator: np.random.Generator
) -> tuple[tuple[int, ...], ...]:
    wrong = generator.random((len(topics), 3)) < 0.2
    tag_topics = np.where(wrong, generator.integers(0, num_topics, size=wrong.shape), topics[:, None])
    tags = tag_topics * TAGS_PER_TOPIC + generator.integers(0, TAGS_PER_TOPIC, size=wrong.shape)
    return tuple(tuple(dict.fromkeys(row)) for row in tags.tolist())
