"""Facts come back as they went in, under the row number that a content keeps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from messages.content import ContentColumns
from messages.identifiers import keys_of
from serve_app.content_table import ContentTable
from tests.fakes import content


def tags_of(columns: ContentColumns, position: int) -> list[int]:
    offsets = columns.tags.offsets
    return columns.tags.values[offsets[position] : offsets[position + 1]].tolist()


def test_a_content_is_read_back_by_its_row() -> None:
    table = ContentTable()
    facts = [content("a", "ann", "art", tags=["x", "y"]), content("b", "bob")]

    rows = table.put(ContentColumns.of(facts))

    read = table.take(rows[::-1])
    assert (read.content_ids, read.creator_ids, read.categories) == (["b", "a"], ["bob", "ann"], ["", "art"])
    assert tags_of(read, 0) == []
    assert tags_of(read, 1) == keys_of(["x", "y"]).tolist()
    assert np.isnan(read.durations).all()


def test_changed_facts_keep_the_row() -> None:
    table = ContentTable()
    rows = table.put(ContentColumns.of([content("a", "ann"), content("b", "bob")]))

    assert table.put(ContentColumns.of([content("b", "eve")])).tolist() == [rows[1]]
    assert table.take(rows).creator_ids == ["ann", "eve"]


def test_a_removed_content_is_gone_and_its_number_is_used_again() -> None:
    table = ContentTable()
    rows = table.put(ContentColumns.of([content("a"), content("b")]))

    assert table.remove(keys_of(["a", "never there"])).tolist() == [rows[0]]
    assert table.find(keys_of(["a", "b"])).tolist() == [-1, rows[1]]
    assert not table.live[rows[0]]
    assert table.put(ContentColumns.of([content("c")])).tolist() == [rows[0]]
    assert table.take(rows).content_ids == ["c", "b"]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=40), st.integers(0, 2**32 - 1))
def test_tags_survive_any_number_of_replacements(changes: list[tuple[int, int]], seed: int) -> None:
    table, expected = ContentTable(), {}
    for turn in range(25):  # enough waste for the pool to be cleared more than once
        for name, count in changes:
            tags = [f"t{turn}-{index}" for index in range(count * 5)]
            table.put(ContentColumns.of([content(f"c{name}", tags=tags)]))
            expected[f"c{name}"] = keys_of(tags).tolist()

    names = list(expected)
    np.random.default_rng(seed).shuffle(names)
    read = table.take(table.find(keys_of(names)))
    assert [tags_of(read, position) for position in range(len(names))] == [expected[name] for name in names]


def test_contents_tell_how_many_have_their_audio() -> None:
    table = ContentTable()
    facts = [
        content(f"c{number}", audio_id=audio) for number, audio in enumerate(["song", "song", "", "hum"])
    ]
    rows = table.put(ContentColumns.of(facts))
    assert table.take(rows).audio_uses.tolist() == [2, 2, 0, 1]

    table.remove(keys_of(["c0"]))
    table.put(ContentColumns.of([content("c3", audio_id="song")]))
    assert table.take(rows[1:]).audio_uses.tolist() == [2, 0, 2]
