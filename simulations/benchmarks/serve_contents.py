"""A large catalogue as a file, for the bulk import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from simulations.benchmarks.serve_people import category, content_id, creator_id

_TAGS = 2_000


def write_catalogue(path: Path, start: int, stop: int, num_contents: int, now: float, seed: int = 0) -> Path:
    """Write contents `start` to `stop` of `num_contents` as Parquet: 50 categories, 2,000 tags, a creator for
    every 50 contents, uploaded over the last ten days."""
    draws = np.random.default_rng([seed, start])
    numbers = range(start, stop)
    num_creators = max(num_contents // 50, 1)
    tags = draws.integers(_TAGS, size=(stop - start, 3)).tolist()
    table = pa.table(
        {
            "content_id": [content_id(number) for number in numbers],
            "creator_id": [creator_id(number, num_creators) for number in numbers],
            "category": [category(number) for number in numbers],
            "tags": [[f"tag-{tag}" for tag in row] for row in tags],
            "duration": (5 + draws.random(stop - start) * 55).round(1),
            "upload_timestamp": now - draws.random(stop - start) * 864_000,
        }
    )
    pyarrow.parquet.write_table(table, path)
    return path
