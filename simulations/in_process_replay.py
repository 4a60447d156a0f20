"""Replays a log in one process, without Ray, broker and store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.kuairand import KuaiRandLog, ReplayWindow
from simulations.replay_report import ReplayReport


def replay_in_process(
    log: KuaiRandLog,
    *,
    training: TrainingSettings,
    joiner: JoinerSettings,
    advance: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Learn a whole log from nothing; `advance` is told the rows of each window that is done.

    A mini-batch is one window of the log, so the log's own window size decides how large it is.
    """
    return InProcessSystem(InProcessSettings(joiner=joiner, training=training)).replay(_told(log, advance))


def _told(log: KuaiRandLog, advance: Callable[[int], None]) -> Iterator[ReplayWindow]:
    for window in log.windows():
        yield window
        advance(window.num_rows)
