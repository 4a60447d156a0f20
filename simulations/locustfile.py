"""People that behave, for locust: each asks for a feed, watches it, and tells what they did.

    locust -f simulations/locustfile.py --headless --host http://127.0.0.1:8000 -u 50 -r 10 -t 60s

A person watches faster than anybody would (FORYOU_LOAD_WATCH seconds a slate, 1 by default), views about half
of what is shown, likes now and then, and comes as somebody new after `_SLATES_AS_ONE` slates, for a person is
shown nothing twice and a small catalogue runs dry. Events hold the request id: they are joined and learned.
"""

from __future__ import annotations

import os
import random
import time
import uuid

from locust import FastHttpUser, constant, task

from simulations.load_behaviour import events_of

SLATE = int(os.environ.get("FORYOU_LOAD_SLATE", "10"))
WATCH_SECONDS = float(os.environ.get("FORYOU_LOAD_WATCH", "1.0"))
HEADERS = {"X-API-Key": os.environ["FORYOU_LOAD_KEY"]} if "FORYOU_LOAD_KEY" in os.environ else {}

_SLATES_AS_ONE = 20


class Person(FastHttpUser):
    """One person after the other; `wait_time` is the watching."""

    wait_time = constant(WATCH_SECONDS)

    def on_start(self) -> None:
        self._become_somebody_new()

    @task
    def scroll(self) -> None:
        """One slate: two requests."""
        if self._slates_left == 0:
            self._become_somebody_new()
        self._slates_left -= 1
        with self.client.get(
            f"/v1/feed/{self._user_id}?limit={SLATE}",
            name="GET /v1/feed",
            headers=HEADERS,
            catch_response=True,
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            feed = answer.json()
        if not feed["items"]:
            self._slates_left = 0
            return
        events = events_of(feed, self._user_id, time.time(), self._draws)
        with self.client.post(
            "/v1/events",
            json={"events": events},
            name="POST /v1/events",
            headers=HEADERS,
            catch_response=True,
        ) as answer:
            if answer.status_code not in (200, 202):
                answer.failure(f"status {answer.status_code}")

    def _become_somebody_new(self) -> None:
        self._user_id = f"load-{uuid.uuid4().hex[:12]}"
        self._draws = random.Random(self._user_id)
        self._slates_left = _SLATES_AS_ONE
