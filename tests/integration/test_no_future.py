"""No feature of a replayed row knows what came of the row, nor anything later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learners.features.counter_features import counter_block_of
from learners.joiner import JoinerSettings
from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from messages.identifiers import key_of
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.kuairand import KuaiRandLog

NUM_ROWS = 60
START = 1_650_000_000_000
SETTINGS = InProcessSettings(
    joiner=JoinerSettings(num_partitions=3),
    training=TrainingSettings(model=RankingModelSettings(hidden=(8, 8), retrieval_dimension=4)),
)
KEYS = [key_of(f"kuairand-{number}") for number in range(NUM_ROWS)]
LOG_HEADER = (
    "user_id,video_id,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,tab"
)


class Recorder:
    """Stands before the training step and keeps the features of every row that it is given."""

    def __init__(self, step: Any) -> None:
        self._step = step
        self.rows: dict[int, bytes] = {}
        self.probabilities: dict[int, Any] = {}

    def pull_request(self, *arguments: Any) -> Any:
        return self._step.pull_request(*arguments)

    def run(self, batch: Any, values: Any, dense: Any, counters: Any) -> Any:
        result = self._step.run(batch, values, dense, counters)
        if batch.joined is not None:
            self._keep(batch, counters, result)
        return result

    def _keep(self, batch: Any, counters: Any, result: Any) -> None:
        joined = batch.joined
        block = counter_block_of(joined.features, counters, batch.times[joined.rows])
        for at, request in enumerate(joined.request_keys.tolist()):
            row = joined.features.take(np.array([at]))
            parts = [*row.ids.values(), *(bag.values for bag in row.bags.values()), row.dense, block[at]]
            self.rows.setdefault(request, b"".join(part.tobytes() for part in parts))
            self.probabilities.setdefault(request, result.probabilities[at])


def replay(folder: Path, window_rows: int, from_row: int = NUM_ROWS) -> Recorder:
    """Replay a log in which everything that came of the rows from `from_row` on is the other way round."""
    draws = np.random.default_rng(7)
    lines = [LOG_HEADER]
    for number in range(NUM_ROWS):
        user, video = draws.integers(0, 4), draws.integers(0, 5)
        flags = draws.integers(0, 2, 7)
        played = int(draws.integers(0, 30_000))
        if number >= from_row:
            flags, played = 1 - flags, 30_000 - played
        time = START + 1_000 * (number // 3)  # three rows an instant: none of them is the older
        lines.append(f"{user},{video},{time},{','.join(map(str, flags))},{played},20000,{user % 2}")
    folder.mkdir()
    (folder / "log_standard_pure.csv").write_text("\n".join(lines) + "\n")
    (folder / "video_features_basic_pure.csv").write_text(
        "video_id,author_id,upload_dt,music_id,tag\n"
        + "\n".join(f"{video},{video % 2 + 1},2022-04-10,{video},{video % 3}" for video in range(5))
    )
    system = InProcessSystem(SETTINGS)
    recorder = Recorder(system.learner._step)
    system.learner._step = recorder  # type: ignore[assignment]
    system.replay(KuaiRandLog(folder, num_partitions=3, window_rows=window_rows).windows())
    assert len(recorder.rows) == NUM_ROWS
    return recorder


@pytest.mark.parametrize("window_rows", [1, 7])
def test_features_and_predictions_do_not_change_with_what_comes_of_the_row_and_after(
    tmp_path: Path, window_rows: int
) -> None:
    real = replay(tmp_path / "real", window_rows)
    for changed_from in (0, 31, NUM_ROWS - 1):
        other = replay(tmp_path / f"changed{changed_from}", window_rows, from_row=changed_from)
        for number in range(changed_from - changed_from % 3 + 3):
            request = KEYS[number]
            assert other.rows[request] == real.rows[request], f"row {number}"
            # To the last bit they may depend on how many rows a batch has.
            np.testing.assert_allclose(
                other.probabilities[request], real.probabilities[request], rtol=1e-5, err_msg=f"row {number}"
            )
    told = replay(tmp_path / "all changed", window_rows, from_row=0)
    assert any(told.rows[key] != real.rows[key] for key in KEYS), "nothing reaches later rows"
