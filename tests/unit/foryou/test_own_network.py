"""A machine that lets nobody have a network of one's own is told from one that does."""

from __future__ import annotations

import pytest

from foryou.own_network import NoOwnNetworkError, in_own_network


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foryou.own_network.shutil.which", lambda tool: None if tool == "nsenter" else tool)
    with pytest.raises(NoOwnNetworkError, match="nsenter: not there"):
        in_own_network(["-m", "foryou"])
