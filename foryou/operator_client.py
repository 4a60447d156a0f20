"""An operator's question to the running system, over HTTP with the key that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from foryou.client import ApiError, Client
from foryou.local_services import StateFolder
from foryou.settings import SystemSettings


def operator_client(settings: SystemSettings, url: str) -> Client:
    """Return a client of a system with these settings, with the key that `key_of` finds."""
    return Client(url, key=key_of(settings))


def key_of(settings: SystemSettings) -> str | None:
    """Return an operator's key where the settings name one, else a client's, which opens all that only reads;
    None where no key is asked for."""
    access = settings.feed.api.access
    keys = [*access.admin_keys, *access.client_keys]
    return keys[0].get_secret_value() if keys else None


def ask_running(
    settings: SystemSettings, question: Callable[[Client], dict[str, Any]], refusal: type[Exception]
) -> dict[str, Any]:
    """Ask the system that runs on the state folder. Raises `refusal` where none runs, or where it refuses."""
    running = StateFolder(settings.services.state).find_running()
    if running is None:
        raise refusal(f"nothing runs on {settings.services.state}: start `foryou up`")
    try:
        with operator_client(settings, running.http_url) as client:
            return question(client)
    except (ApiError, httpx.HTTPError) as error:
        raise refusal(str(error)) from error
