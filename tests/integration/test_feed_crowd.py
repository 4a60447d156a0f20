"""A crowd asks at its rate, and a request that fails is made once more by way of another address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from simulations.feed_crowd import FeedCrowd

DEADLINE_SECONDS = 20.0


class Answering(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        body = b'{"items": [1]}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        return


class Refusing(Answering):
    status = 503


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    servers = {kind.__name__: ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Answering, Refusing)}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {name: f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


def ask(addresses: list[str], num_requests: int) -> FeedCrowd:
    with FeedCrowd(lambda: addresses, ["ann", "bob"], rate=200.0) as crowd:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while crowd.counts.num_requests < num_requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return crowd


def test_what_one_address_refuses_another_answers(addresses: dict[str, str]) -> None:
    crowd = ask([addresses["Answering"], addresses["Refusing"]], 10)
    report = crowd.begin_count().report()
    assert report["requests"] >= 10
    assert report["retried"] == report["requests"] // 2
    assert report["failed"] == 0
    assert crowd.counts.num_requests == 0, "it counts anew"


def test_what_fails_twice_is_told(addresses: dict[str, str]) -> None:
    counts = ask([addresses["Refusing"]], 2).counts
    assert len(counts.failed) == counts.num_requests
    assert "503" in counts.failed[0]
