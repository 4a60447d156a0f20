"""What operators change holds in the running system at once, and stays."""

from __future__ import annotations

import time

import pytest

from foryou.client import ApiError, Client
from tests.e2e.conftest import DEADLINE_SECONDS

pytestmark = pytest.mark.system


def num_served(client: Client) -> int:
    contents: int = client.status()["replica"]["contents"]
    return contents


def wait_for(client: Client, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while num_served(client) != count:
        assert time.monotonic() < deadline, f"{num_served(client)} contents are served, not {count}"
        time.sleep(0.02)


def test_a_deleted_content_is_asked_for_in_vain_at_once_and_leaves_the_index(client: Client) -> None:
    before = num_served(client)
    client.put_content("fleeting", "its-creator", category="cats")
    wait_for(client, before + 1)
    assert client.feed("onlooker", 1, about="fleeting")["about"]["why"] != "no such content is being served"

    client.delete_content("fleeting")

    about = client.feed("onlooker", 1, about="fleeting")["about"]
    assert about["why"] == "no such content is being served"
    wait_for(client, before)
    with pytest.raises(ApiError, match="404"):
        client.delete_content("fleeting")


def test_weights_are_tried_set_and_set_back(client: Client) -> None:
    before = client.weights()
    changed = {**before["weights"], "like": before["weights"]["like"] + 1}

    tried = client.preview_weights(changed, users=["onlooker"], limit=5)
    assert [entry["user_id"] for entry in tried["users"]] == ["onlooker"]
    assert client.weights() == before

    written = client.set_weights(changed, revision=before["revision"])
    try:
        assert client.weights() == written
        with pytest.raises(ApiError, match="409"):
            client.set_weights(changed, revision=before["revision"])
    finally:
        client.set_weights(before["weights"])
