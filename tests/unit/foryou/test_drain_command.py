"""A node is drained only where what runs on it finds another place."""

from __future__ import annotations

import dataclasses

import pytest

from actors.node_reader import Node, nodes_of
from foryou.drain_command import DrainError, choose_node, homeless_kinds, still_moving

HEAD = Node("0a" * 14, "10.0.0.1", is_alive=True, is_head=True, cpus=4, kinds={"head": 1.0})
FIRST = Node("1b" * 14, "10.0.0.2", is_alive=True, is_head=False, cpus=2, kinds={"shard": 1.0})
SECOND = Node(
    "1c" * 14, "10.0.0.3", is_alive=True, is_head=False, cpus=2, kinds={"shard": 1.0, "learner": 1.0}
)
GONE = Node("2d" * 14, "10.0.0.4", is_alive=False, is_head=False, cpus=0, kinds={"learner": 1.0})
NODES = [HEAD, FIRST, SECOND, GONE]


@pytest.mark.parametrize("named", ["10.0.0.2", "1b", "1b" * 14])
def test_a_node_is_named_by_its_address_or_the_beginning_of_its_id(named: str) -> None:
    assert choose_node(NODES, named) is FIRST


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("1", "several"),
        ("10.0.0.4", "no node that runs"),
        ("10.0.0.9", "no node"),
        ("10.0.0.1", "is the head"),
    ],
)
def test_what_is_not_one_living_worker_is_refused(named: str, said: str) -> None:
    with pytest.raises(DrainError, match=said):
        choose_node(NODES, named)


def test_a_kind_that_no_other_living_node_has_leaves_its_parts_homeless() -> None:
    assert homeless_kinds(NODES, FIRST) == []
    assert homeless_kinds(NODES, SECOND) == ["learner"]


def test_parts_are_told_with_the_node_on_which_they_run() -> None:
    nodes = [
        {"NodeID": "b", "NodeManagerAddress": "10.0.0.2", "Alive": True,
         "Resources": {"CPU": 2.0, "shard": 1.0, "memory": 9.0, "node:10.0.0.2": 1.0}},
        {"NodeID": "a", "NodeManagerAddress": "10.0.0.1", "Alive": True,
         "Resources": {"CPU": 4.0, "node:__internal_head__": 1.0}},
        {"NodeID": "c", "NodeManagerAddress": "10.0.0.3", "Alive": False, "Resources": {}},
    ]  # fmt: skip
    actors = [
        {"Name": name, "Address": {"NodeID": node}}
        for name, node in (
            ("foryou-live-shard-1", "b"),
            ("foryou-live-shard-0", "b"),
            ("SERVE_REPLICA::foryou#feed#x1", "b"),
            ("", "a"),
            ("foryou-live-joiner", "a"),
        )
    ]
    head, worker, gone = nodes_of(nodes, actors)
    assert (head.is_head, head.parts) == (True, ("live-joiner",))
    assert worker.kinds == {"shard": 1.0}
    assert worker.parts == ("feed", "live-shard-0", "live-shard-1")
    assert not gone.is_alive
    assert gone.cpus == 0.0


def test_a_node_is_drained_when_it_is_empty_and_its_actors_live_elsewhere() -> None:
    def nodes(*parts: tuple[str, ...]) -> list[Node]:
        return [
            dataclasses.replace(node, parts=own) for node, own in zip((FIRST, SECOND), parts, strict=True)
        ]

    wanted = ["foryou-live-shard-0"]
    assert still_moving(nodes(("live-shard-0", "feed"), ()), FIRST, wanted) == ["feed", "live-shard-0"]
    assert still_moving(nodes((), ()), FIRST, wanted) == ["live-shard-0"]
    assert still_moving(nodes((), ("live-shard-0",)), FIRST, wanted) == []
    assert still_moving([SECOND], FIRST, []) == []
