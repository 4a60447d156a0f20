"""Nodes are started as a service manager starts them: again where Ray gives up, but not for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from foryou.node_cluster import HEAD, NodeCluster, NodeError


class Node:
    """Runs a line of shell instead of what it is told; `kill` counts."""

    address = "10.0.0.2"

    def __init__(self, line: str) -> None:
        self.line = line
        self.num_kills = 0

    def command(self, *words: str) -> list[str]:
        return ["sh", "-c", self.line]

    def kill(self) -> int:
        self.num_kills += 1
        return 0


class Network:
    def __init__(self, node: Node) -> None:
        self.node = node

    def add(self) -> Node:
        return self.node


def cluster_of(node: Node, folder: Path) -> NodeCluster:
    return NodeCluster(cast(Any, Network(node)), folder, {})


def test_a_node_whose_ray_gave_up_is_started_again_without_what_it_left(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    node = Node(f"echo >> {starts}; test $(wc -l < {starts}) = 2 && echo Ray runtime started")
    note = tmp_path / HEAD / "ray" / "ray_current_cluster"
    note.parent.mkdir(parents=True)
    note.touch()
    cluster_of(node, tmp_path).start(HEAD, HEAD)
    assert node.num_kills == 1
    assert not note.exists()


def test_a_node_that_never_starts_says_why(tmp_path: Path) -> None:
    node = Node("echo no such address; exit 1")
    logs = tmp_path / HEAD / "ray" / "session_latest" / "logs"
    logs.mkdir(parents=True)
    (logs / "raylet.out").write_text("I am up\nC 17 Check failed: no port\n")
    with pytest.raises(NodeError, match=r"(?s)no such address.*Check failed: no port"):
        cluster_of(node, tmp_path).start(HEAD, HEAD)
