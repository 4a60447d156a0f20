"""Features, contents, impressions and examples in columns: cut, stacked and sent, they stay the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.codec import MalformedMessageError, pack, unpack
from messages.content import ContentColumns, ContentFacts, words_of
from messages.events import ContentMetadata
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.features import IdBags
from messages.feed import FeedMessage
from messages.identifiers import MISSING_KEY, NUM_BUCKETS, buckets_of, key_of, keys_of, partition_of
from messages.impressions import Impression
from messages.uploads import Uploads
from tests.impressions import impression_of
from tests.training_batches import batch_of

bags = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=4), max_size=6)


def packed(rows: list[list[int]]) -> IdBags:
    return IdBags.of([np.array(row, dtype=np.uint64) for row in rows])


def unpacked(packed_bags: IdBags) -> list[list[int]]:
    return [
        packed_bags.values[start:end].tolist()
        for start, end in zip(packed_bags.offsets, packed_bags.offsets[1:], strict=False)
    ]


@given(bags, bags, st.data())
def test_bags_can_be_stacked_and_taken_from(
    one: list[list[int]], two: list[list[int]], data: st.DataObject
) -> None:
    stacked = IdBags.concatenate([packed(one), packed(two)])
    rows = one + two
    assert unpacked(stacked) == rows
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)) if rows else []
    assert unpacked(stacked.take(np.array(chosen, dtype=np.int64))) == [rows[index] for index in chosen]
    assert unpacked(IdBags.from_wire(unpack(pack(stacked.to_wire())))) == rows


FEW, MANY = 3, 200


@pytest.mark.parametrize(
    "offsets", [[], [1], [0, 2, 1], [0, 5], [0, 2, 1] + [2] * MANY, [0] * MANY, [1] * MANY]
)
def test_offsets_that_do_not_fit_their_values_are_refused(offsets: list[int]) -> None:
    with pytest.raises(MalformedMessageError):
        IdBags.from_wire([np.arange(2, dtype=np.uint64), np.array(offsets, dtype=np.int64)])


@pytest.mark.parametrize("count", [FEW, MANY])
def test_few_bags_and_many_are_read_alike(count: int) -> None:
    sent = packed([[number] * (number % 3) for number in range(count)])
    assert unpacked(IdBags.from_wire(unpack(pack(sent.to_wire())))) == unpacked(sent)


def test_contents_of_other_places_can_be_stacked_and_their_facts_sent() -> None:
    facts = [
        ContentFacts(
            f"c{i}", f"k{i % 2}", float(i), ContentMetadata(category="cats", tags=("a", "b")[: i % 3])
        )
        for i in range(4)
    ]
    columns = ContentColumns.of(facts)
    read = ContentColumns.from_wire(unpack(pack(columns.to_wire())))
    assert read.content_ids == ["c0", "c1", "c2", "c3"]
    assert read.content_keys.tolist() == keys_of(read.content_ids).tolist()
    assert np.isnan(read.durations).all()
    halves = ContentColumns.concatenate([columns.take(np.array([2, 3])), columns.take(np.array([0]))])
    assert halves.content_ids == ["c2", "c3", "c0"]
    assert [ContentFacts.from_wire(unpack(pack(one.to_wire()))) for one in facts] == facts
    assert len(Uploads.from_wire(unpack(pack(Uploads.of(facts).to_wire())))) == 4


def test_words_are_lower_case_and_hashtags_lose_their_sign() -> None:
    assert words_of("Big #Cats, small CATS! été_") == ["big", "cats", "small", "cats", "été"]


def test_an_impression_survives_feed() -> None:
    sent = impression_of("ann", ["c1", "c2"])
    message = FeedMessage([("impression", sent.to_wire()), ("event", {"event_type": "like"})], log_time=5.0)
    read = FeedMessage.decode(message.encode())
    assert read.log_time == 5.0
    assert [kind for kind, _ in read.records] == ["impression", "event"]
    impression = Impression.from_wire(read.records[0][1])
    assert (impression.request_id, impression.user_id) == ("request", "ann")
    assert impression.contents.content_ids == ["c1", "c2"]
    assert impression.model == sent.model


@pytest.mark.parametrize(
    "wire",
    [
        [],
        {"v": 99, "records": []},
        {"v": 1, "records": {}},
        {"v": 1, "records": [["e"]]},
        {"v": 1, "records": [["z", {}]]},
        {"v": 1, "records": [], "log_time": "now"},
    ],
)
def test_what_is_no_feed_message_is_refused(wire: object) -> None:
    with pytest.raises(MalformedMessageError):
        FeedMessage.decode(pack(wire))


def test_examples_survive_the_wire_and_stacking_moves_the_joined_rows() -> None:
    batch = batch_of([(1, 1), (2, 3)], [True, False])
    read = ExampleBatch.decode(batch.encode())
    assert read.encode() == batch.encode()
    stacked = ExampleBatch.concatenate([ExampleBatch.empty(), batch, read])
    assert stacked.joined is not None
    assert stacked.joined.rows.tolist() == [0, 1, 2, 3]
    assert len(stacked) == len(stacked.joined) == 4
    with pytest.raises(MalformedMessageError):
        ExampleBatch.decode(pack({"times": 1}))


def test_headers_of_examples_are_read_back_exactly() -> None:
    header = ExamplesHeader("joiner", 12, 1_700_000_000.123456, 3, 11)
    assert ExamplesHeader.from_headers(header.to_headers()) == header
    for headers in (None, {}, header.to_headers() | {"Foryou-Previous": "x"}):
        with pytest.raises(MalformedMessageError):
            ExamplesHeader.from_headers(headers)


def test_keys_partitions_and_buckets_never_change() -> None:
    assert key_of("ann") == 5_200_682_613_324_210_888
    assert key_of("") == MISSING_KEY
    assert partition_of("ann", 16) == 8
    assert buckets_of(keys_of(["ann", "bob"])).tolist() == [145, 169]
    keys = keys_of(f"id-{number}" for number in range(20_000))
    assert len(np.unique(keys)) == len(keys)
    counts = np.bincount(buckets_of(keys), minlength=NUM_BUCKETS)
    assert counts.min() > 0
    assert counts.max() < 3 * counts.mean()
