"""Two short schedules of faults on a whole system: the accounts equal a clean run's, and feeds are served."""

from __future__ import annotations

import pytest

from foryou.chaos_command import run_chaos_command
from foryou.settings import load_settings

SEED = 7


@pytest.mark.system
@pytest.mark.timeout(280)
def test_killed_and_paused_parts_leave_the_accounts_of_a_clean_run() -> None:
    report = run_chaos_command(load_settings(environment={}), schedules=2, seed=SEED, num_messages=40)
    assert report["problems"] == {}
    assert (report["schedules"], report["equal"], report["failed_requests"]) == (2, 2, 0)
    assert report["recovery_s"]
