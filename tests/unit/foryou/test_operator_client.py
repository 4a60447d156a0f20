"""Commands that ask a running system send the key that its settings name."""

from __future__ import annotations

from typing import Any

import pytest

from foryou.operator_client import operator_client
from foryou.settings import SystemSettings, with_changes


@pytest.mark.parametrize(
    ("access", "key"),
    [
        ({}, None),
        ({"admin_keys": ["of-an-operator"], "client_keys": ["of-a-client"]}, "of-an-operator"),
        ({"client_keys": ["of-a-client"]}, "of-a-client"),
    ],
)
def test_an_operators_key_is_sent_before_a_clients(access: dict[str, Any], key: str | None) -> None:
    settings = with_changes(SystemSettings(), {"feed": {"api": {"access": access}}})

    with operator_client(settings, "http://foryou") as client:
        assert client._http.headers.get("x-api-key") == key
