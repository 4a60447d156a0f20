"""A Ray cluster on this machine whose nodes have addresses of their own, each started as a real one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foryou.own_network import NodeNetwork, OwnNetwork
from foryou.settings import ENVIRONMENT_PREFIX

_START_NODE = Path(__file__).parents[1] / "deploy" / "clusters" / "start_node.sh"
_RAY_PORT = "6390"
_START_SECONDS = 300.0
_STARTS = 3
"""As a service manager would: on a busy machine a raylet gives up on its agent's port after half a minute."""
_COMMAND_SECONDS = 300.0
_OBJECT_STORE_BYTES = 150_000_000
_CPUS = 2
_WORDS = 2_000
"""Of a log, that an error repeats."""
HEAD = "head"


class NodeError(Exception):
    """A node did not start, or a command in the cluster failed; the text is what it said."""


class NodeCluster:
    """Nodes by name. folder: of a short name, since Unix sockets' paths end at 108 bytes."""

    def __init__(self, network: OwnNetwork, folder: Path, environment: Mapping[str, str]) -> None:
        """environment: of every node and command, beside this process's own without Ray's and our settings.

        Raises NodeError where the repository's start script is not there.
        """
        if not _START_NODE.exists():
            raise NodeError(f"{_START_NODE} is not there: nodes are started from a clone of the repository")
        self._network = network
        self._folder = folder
        self._nodes: dict[str, NodeNetwork] = {}
        self._ray = folder / "start-ray"
        self._ray.write_text(
            f'#!/bin/sh\nexec "{Path(sys.executable).with_name("ray")}" "$@" --block --num-cpus={_CPUS} '
            f'--node-ip-address="$NODE_ADDRESS" --object-store-memory={_OBJECT_STORE_BYTES} '
            "--disable-usage-stats\n"
        )
        self._ray.chmod(0o755)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RAY_", ENVIRONMENT_PREFIX))
        }
        self.environment = inherited | dict(environment)

    def start(self, name: str, *roles: str) -> float:
        """Start a node, of a new address or again on its own, and wait until it has joined: seconds.

        roles: as of `start_node.sh`, a worker's. The first node is the head. Raises NodeError.
        """
        began = time.monotonic()
        node = self._nodes.get(name) or self._network.add()
        self._nodes[name] = node
        process, log = self._launch(name, node, roles)
        left = _STARTS - 1
        while "Ray runtime started" not in (said := log.read_text()):
            has_ended = process.poll() is not None
            if (has_ended and not left) or time.monotonic() - began > _START_SECONDS:
                raise NodeError(f"node {name} did not start: {said[-_WORDS:]}\n{self._last_words(name)}")
            if has_ended:
                left -= 1
                node.kill()
                process, log = self._launch(name, node, roles)
            time.sleep(0.1)
        return time.monotonic() - began

    def _launch(
        self, name: str, node: NodeNetwork, roles: tuple[str, ...]
    ) -> tuple[subprocess.Popen[bytes], Path]:
        if name == HEAD:
            # Left of a head that was killed, it makes Ray take the workers' raylets, which name its address
            # and are seen from here, for that head, and not start: a machine of one's own shows it none.
            (self._home(name) / "ray" / "ray_current_cluster").unlink(missing_ok=True)
        log = self._folder / f"{name}-{len(list(self._folder.glob('*.log')))}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                node.command(str(_START_NODE), HEAD if name == HEAD else "worker", *roles),
                env=self._environment_of(name),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return process, log

    def address(self, name: str) -> str:
        return self._nodes[name].address

    def addresses(self) -> list[str]:
        """Return where people ask: the workers' addresses, for a gateway keeps off the head."""
        return [node.address for name, node in self._nodes.items() if name != HEAD]

    def kill(self, name: str) -> int:
        """SIGKILL all processes of a node at once; returns how many there were."""
        return self._nodes[name].kill()

    def forget(self, name: str) -> None:
        """Take a node out of what `addresses` tells: it will not come back."""
        self._nodes.pop(name).kill()

    def cut(self, name: str) -> None:
        self._nodes[name].cut()

    def mend(self, name: str) -> None:
        self._nodes[name].mend()

    def command(self, *words: str) -> dict[str, Any]:
        """Run a command of foryou on the head and return its report. Raises NodeError."""
        head = self._nodes[HEAD]
        finished = subprocess.run(
            head.command(sys.executable, "-m", "foryou", *words, "--json"),
            env=self._environment_of(HEAD) | {"RAY_ADDRESS": f"{head.address}:{_RAY_PORT}"},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
        )
        if finished.returncode:
            raise NodeError(f"foryou {' '.join(words)}: {finished.stderr.strip()[-2_000:]}")
        report: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        return report

    def node_with(self, part: str) -> str:
        """Return the name of the node on which a part runs. Raises NodeError where none has it."""
        by_address = {node.address: name for name, node in self._nodes.items()}
        for found in self.command("nodes")["nodes"]:
            if found["alive"] and part in found["parts"]:
                return by_address[found["address"]]
        raise NodeError(f"{part} runs on no node")

    def _home(self, name: str) -> Path:
        """Return the folder that a node has to itself, as it would on a machine of its own: a head that comes
        back keeps its session's name, and must not find the sockets of others there."""
        home = self._folder / name
        home.mkdir(exist_ok=True)
        return home

    def _last_words(self, name: str) -> str:
        """Return what Ray's own processes died of, where they say so."""
        logs = (self._home(name) / "ray" / "session_latest" / "logs").glob("[gr]*.out")
        lines = [line for log in sorted(logs) for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(line for line in lines if "Check failed" in line)

    def _environment_of(self, name: str) -> dict[str, str]:
        """HAProxy's files lie in a folder of each node's id there: the path must be short too."""
        haproxy = self._folder / "h"
        haproxy.mkdir(exist_ok=True)
        return self.environment | {
            "RAY": str(self._ray),
            "RAY_PORT": _RAY_PORT,
            "RAY_HEAD_IP": self._nodes[HEAD].address,
            "NODE_ADDRESS": self._nodes[name].address,
            "RAY_TMPDIR": str(self._home(name)),
            "CLUSTER_SECRETS": str(self._folder),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        }
