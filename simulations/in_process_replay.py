"""Replays a log in one process, without Ray, broker and store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.kuairand import ReplayWindow
from simulations.replay_log import ReplayLog
from simulations.replay_report import ReplayReport


def replay_in_process(
    log: ReplayLog,
    *,
    training: TrainingSettings,
    joiner: JoinerSettings,
    advance: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Learn a whole log from nothing; `advance` is told the rows of each window that is done.

    A mini-batch is one window of the log, so the log's own window size decides how large it is.
    """
    return InProcessSystem(InProcessSettings(joiner=joiner, training=training)).replay(_told(log, advance))


def _told(log: ReplayLog, advance: Callable[[int], None]) -> Iterator[ReplayWindow]:
    for window in log.windows():
        yield window
        advance(window.num_rows)


def compare_in_process(
    log: ReplayLog,
    *,
    logged: InProcessSettings,
    candidate: InProcessSettings,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, float | int]:
    """Replay one stretch under two settings, each from nothing, and say what the candidate's change is worth.

    Keys: logged_..., candidate_... and difference_... (candidate less logged) of auc_click and auc_long_view,
    and rows.
    """
    reports = {
        name: InProcessSystem(settings).replay(_told(log, advance))
        for name, settings in (("logged", logged), ("candidate", candidate))
    }
    answer: dict[str, float | int] = {"rows": reports["logged"].rows}
    for key in ("auc_click", "auc_long_view"):
        values = {name: float(getattr(report, key)) for name, report in reports.items()}
        answer |= {f"{name}_{key}": value for name, value in values.items()}
        answer[f"difference_{key}"] = values["candidate"] - values["logged"]
    return answer
