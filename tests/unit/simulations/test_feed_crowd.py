"""People who ask for feeds by way of addresses that answer, fail or are gone."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulations.feed_crowd import CrowdCounts, FeedCrowd

DEADLINE_SECONDS = 20.0


@contextmanager
def server(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"items": ["one"]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def gone() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def counted(addresses: list[str], num_requests: int) -> CrowdCounts:
    crowd = FeedCrowd(lambda: addresses, ["ada"], rate=50.0)
    deadline = time.monotonic() + DEADLINE_SECONDS
    with crowd:
        while crowd.counts.num_requests < num_requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return crowd.counts


def test_who_is_not_answered_asks_once_more_at_the_next_address_that_takes_the_connection() -> None:
    with server(500) as failing, server(200) as answering:
        counts = counted([failing, gone(), answering], num_requests=9)
    assert not counts.failed
    assert counts.problems
    assert all("500" in problem for problem in counts.problems), "who takes no connection was not asked"
    assert len(counts.problems) + len(counts.seconds) == counts.num_requests


def test_who_is_not_answered_twice_has_failed_and_so_has_who_finds_nobody() -> None:
    with server(500) as failing:
        assert len(counted([failing], num_requests=3).failed) >= 3
    counts = counted([gone(), gone()], num_requests=3)
    assert len(counts.failed) == counts.num_requests
    assert all("no connection" in problem for problem in counts.failed)
