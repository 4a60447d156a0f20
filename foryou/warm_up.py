"""Compiles numba's kernels into its cache at install, so that no first request or test waits for it."""

from __future__ import annotations

import numpy as np

from parameter_server.warm_up import warm_up
from serve_app.pipeline.greedy_slate import greedy_slate

if __name__ == "__main__":
    warm_up()
    nobody = np.zeros(2, dtype=np.int64)
    greedy_slate(
        np.zeros(2), np.eye(2), nobody, nobody, variety=0.5, repeat_cost=0.5, max_per_creator=1, count=2
    )
