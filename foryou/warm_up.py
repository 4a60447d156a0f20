"""Compiles numba's kernels into its cache at install, so that no first request or test waits for it."""

from __future__ import annotations

from parameter_server.warm_up import warm_up
from serve_app.warm_up import warm_up_ranking

if __name__ == "__main__":
    warm_up()
    warm_up_ranking()
