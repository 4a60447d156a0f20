"""What a trial of nodes waits for: that a replica serves what was published, as long as anything still is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from foryou import node_trial
from foryou.node_trial import NodeTrial, TrialError


def trial(*, is_over: bool, served: int, monkeypatch: pytest.MonkeyPatch) -> NodeTrial:
    """Of a log whose last message of partition 0 is FEED's 7."""
    status = {"partitions": {"0": {"feed": served}}, "workers": {"learner": {"failure": "no room"}}}
    monkeypatch.setattr(NodeTrial, "_status", lambda _: status)
    monkeypatch.setattr(node_trial, "_SETTLE_SECONDS", 0.0)
    log = SimpleNamespace(published={0: 7}, is_over=is_over)
    nothing = cast(Any, None)
    return NodeTrial(nothing, nothing, cast(Any, log), nothing, nothing, nothing, 8000, lambda _: None)


def test_what_does_not_come_in_time_is_told_with_what_the_parts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = trial(is_over=False, served=7, monkeypatch=monkeypatch)
    with pytest.raises(TrialError, match=r"not learned: \{0: 8\} are wanted, .* learner: no room"):
        waiting._wait_until_served(waiting._published_from_now(), "not learned")


def test_after_the_end_of_the_log_nothing_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = trial(is_over=True, served=7, monkeypatch=monkeypatch)
    waiting._wait_until_served(waiting._published_from_now(), "not learned")
    behind = trial(is_over=True, served=6, monkeypatch=monkeypatch)
    with pytest.raises(TrialError):
        behind._wait_until_served(behind._published_from_now(), "not learned")
