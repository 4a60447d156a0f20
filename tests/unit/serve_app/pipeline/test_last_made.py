"""What was made of an object is there for the next who asks by the same one."""

from __future__ import annotations

from serve_app.pipeline.last_made import LastMade


def test_it_is_made_once_for_the_same_object_and_anew_for_an_equal_one() -> None:
    made: list[list[int]] = []
    last_made = LastMade(lambda source: made.append(source) or len(made))  # type: ignore[func-returns-value]
    one, equal = [1], [1]

    assert [last_made.of(one), last_made.of(equal), last_made.of(one)] == [1, 2, 1]


def test_after_it_was_taken_it_is_made_anew() -> None:
    made: list[list[int]] = []
    last_made = LastMade(lambda source: made.append(source) or len(made))  # type: ignore[func-returns-value]
    one = [1]

    assert [last_made.of(one), last_made.take(one), last_made.of(one)] == [1, 1, 2]


def test_what_nobody_took_goes_when_others_have_come() -> None:
    last_made = LastMade(len)
    sources = [[number] for number in range(1_000)]
    for source in sources:
        last_made.of(source)

    assert len(last_made._kept) < 100
    assert last_made.of(sources[0]) == 1
