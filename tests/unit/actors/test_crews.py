"""Who owns which partitions, however many there are, and what they are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.crews import Crew, member_role, roles_of_crews, share_of


@given(st.integers(1, 12), st.integers(1, 40))
def test_every_partition_has_one_owner_and_shares_are_even(number: int, num_partitions: int) -> None:
    crew = Crew(number)
    shares = [crew.share(member, range(num_partitions)) for member in range(number)]
    assert sorted(partition for share in shares for partition in share) == list(range(num_partitions))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_who_is_too_many_has_no_share() -> None:
    assert Crew(2).share(2, range(8)) == []


def test_a_crew_is_read_as_it_was_written() -> None:
    assert Crew.from_text(Crew(3, 7).to_text()) == Crew(3, 7)


def test_works_of_partitions_keep_the_names_by_which_joiners_were_fenced() -> None:
    assert share_of("joiner", 3) == "joiner#3"
    assert share_of("production", 3) == "production#3"


def test_the_first_member_bears_the_plain_name_and_all_members_are_asked() -> None:
    assert [member_role("learner", member) for member in range(3)] == ["learner", "learner+2", "learner+3"]
    roles = ["joiner", "joiner+2", "learner", "learner-bolder", "model", "shard-0"]
    assert roles_of_crews(roles, {"learners": 2}) == [
        *("joiner", "learner", "learner+2", "learner-bolder", "learner-bolder+2", "model", "shard-0"),
    ]
