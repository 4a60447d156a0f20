"""A system of its own for a benchmark: its folder goes away; contents by bulk import, people with a past."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from foryou.content_import import import_contents
from foryou.settings import SystemSettings, with_changes
from foryou.system import System
from simulations.benchmarks.serve_contents import write_catalogue
from simulations.benchmarks.serve_people import write_people

NUM_CANDIDATES = 500
_CONTENTS_PER_FILE = 50_000
_STREAM_BYTES = 16 * 1024**3
"""Of FEED and of EXAMPLES, where there is room: an impression of 20 contents takes 9 KB, and 20 minutes at
300 a second would fill the default's 2 GiB, after which the stream takes no more."""
HISTORY, SERVED = 50, 200
"""Contents in a person's history, and contents they have been shown."""
IMPORT_SECONDS = 3_600.0
_POLL_SECONDS = 0.5
_QUIET_POLLS = 6


class BenchmarkError(RuntimeError):
    """The system did not come to where it can be measured; the text says how far it came."""


@contextlib.contextmanager
def benchmark_system(
    settings: SystemSettings, *, history: int, say: Callable[[str], None], replicas: int | None = None
) -> Iterator[System]:
    """Start a system that ranks NUM_CANDIDATES and remembers `history` contents of a person, in a folder that
    is removed afterwards. replicas: how many serve. Other settings stay as given."""
    two_tower = settings.feed.pipeline.two_tower
    num_retrieved = max(two_tower.num_candidates, NUM_CANDIDATES * 4 // 5)
    with tempfile.TemporaryDirectory(prefix="foryou-bench-", ignore_cleanup_errors=True) as folder:
        room = min(_STREAM_BYTES, shutil.disk_usage(folder).free // 5)
        changes: dict[str, Any] = {
            "services": {"state": folder},
            "streams": {"max_bytes": max(settings.streams.max_bytes, room)},
            "http": {"port": 0, "replicas": replicas or settings.http.replicas},
            "joiner": {"user_state": {"max_history": max(history, 1)}},
            "feed": {
                "pipeline": {
                    "two_tower": {"num_candidates": num_retrieved},
                    "candidate_limit": {"max_candidates": NUM_CANDIDATES},
                }
            },
        }
        before = signal.signal(signal.SIGTERM, _end)  # the default would leave servers behind
        try:
            with System(with_changes(settings, changes), say=lambda step: say(f"starting {step}")) as system:
                yield system
        finally:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def fill(
    system: System, start: int, stop: int, num_contents: int, say: Callable[[str], None], timeout: float
) -> float:
    """Import contents `start` to `stop` in bulk and wait until the replica serves them and is quiet again.

    Returns the contents imported a second, until they are served. Raises BenchmarkError.
    """
    began, now = time.monotonic(), time.time()
    with tempfile.TemporaryDirectory(prefix="foryou-bench-") as folder:
        for first in range(start, stop, _CONTENTS_PER_FILE):
            last = min(first + _CONTENTS_PER_FILE, stop)
            say(f"importing {last:,} of {num_contents:,} contents")
            file = write_catalogue(Path(folder) / "contents.parquet", first, last, num_contents, now)
            import_contents(system.settings, file)
    say(f"waiting until {stop:,} contents are served")
    deadline = time.monotonic() + timeout
    served_at = began
    contents, quiet = 0, 0
    seen: deque[float] = deque(maxlen=2 * system.settings.http.replicas)  # any replica may answer
    with httpx.Client(base_url=system.http_url, timeout=60) as client:
        while quiet < _QUIET_POLLS:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{contents:,} of {stop:,} contents are served after {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
            try:
                contents = client.get("/v1/status").raise_for_status().json()["replica"]["contents"]
                rows = _delta_rows(client.get("/metrics").raise_for_status().text)
            except httpx.TransportError:
                continue  # the proxy closes what was idle, and reloads when a replica comes
            if contents < stop or rows not in seen:
                served_at = time.monotonic()
                quiet = 0
            else:
                quiet += 1
            seen.append(rows)
    return (stop - start) / max(served_at - began, 1e-9)


def populate(system: System, *, num_contents: int, num_users: int, say: Callable[[str], None]) -> None:
    """Import a catalogue and give people a past in it. Raises BenchmarkError."""
    fill(system, 0, num_contents, num_contents, say, IMPORT_SECONDS)
    served = min(SERVED, num_contents // 4)
    people(system, num_users=num_users, num_contents=num_contents, history=HISTORY, served=served)


def people(system: System, *, num_users: int, num_contents: int, history: int, served: int) -> None:
    """Give people a past that holds contents up to `num_contents`."""
    write_people(
        system.endpoints,
        num_users=num_users,
        num_contents=num_contents,
        history=history,
        served=served,
        now=time.time(),
    )


def _end(number: int, _frame: object) -> None:
    """End as after an error, so that everything that was started is stopped."""
    sys.exit(128 + number)


def _delta_rows(metrics: str) -> float:
    """Return how many rows the replica has taken from its model so far."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "foryou_delta_rows_total"
    )
