"""Ray in this process: a cluster of our own on this machine, or the one that is there."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import psutil

from foryou.local_services import LOOPBACK
from foryou.serve_environment import serve_environment
from foryou.settings import SystemSettings

logger = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 512 * 1024**2


@contextlib.contextmanager
def ray_session(settings: SystemSettings, address: str | None = None) -> Iterator[str]:
    """Join the cluster at `address` (or at RAY_ADDRESS), or start one; yields where others can join it."""
    address = address or os.environ.get("RAY_ADDRESS")
    with serve_environment(loopback=settings.http.is_loopback, own_cluster=address is None):
        import ray

        own: dict[str, Any] = {}
        if address is None:
            own = {
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_node_ip_address": LOOPBACK,
            }
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=address or "local",
                namespace="foryou",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **own,
            )
        except BaseException:
            if address is None:
                _end_raylet()
            raise
        if threading.current_thread() is threading.main_thread():
            # Ray has set its own, which aborts the process and leaves NATS and Valkey behind.
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        # A filter, since Serve sets its logger's level again when it starts.
        logging.getLogger("ray.serve").addFilter(_is_warning)
        try:
            yield str(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


def _end_raylet() -> None:
    """End a raylet that has not begun yet, with what it started: Ray ends the raylet alone, and its agents go
    on for a minute."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() == "raylet":
                child.suspend()  # it starts no more
                for process in [*child.children(recursive=True), child]:
                    process.kill()


@contextlib.contextmanager
def captured_prints() -> Iterator[None]:
    """Keep from the terminal what Ray prints of actors that we end ourselves; it goes to the log instead."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield
    finally:
        if printed.getvalue():
            logger.debug("while stopping: %s", printed.getvalue())


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
