"""A load on a system that asks for a key, through locust itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from simulations.load_steps import LoadSettings, run_locust

pytest.importorskip("locust", reason="locust comes with the bench extra")

KEY = "a-key-of-theirs"
ITEM = {"content_id": "c1", "creator_id": "grace", "category": "music"}
FEED = {"request_id": "r1", "items": [ITEM]}


class GuardedFeed(BaseHTTPRequestHandler):
    """Answers with the same slate whoever shows the key."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, FEED)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, {"accepted": 1})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status if self.headers["X-API-Key"] == KEY else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), GuardedFeed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("key", "failures"), [(KEY, 0.0), (None, 1.0)])
def test_people_show_the_key_with_every_request(url: str, key: str | None, failures: float) -> None:
    settings = LoadSettings(seconds=2.0)

    assert run_locust(url, 2, settings, key=key).failures == failures
