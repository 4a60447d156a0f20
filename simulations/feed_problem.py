"""What was wrong with a feed, as its person sees it."""

from __future__ import annotations

import httpx

_REFUSED = "no connection"
_NO_ROUTES = "not found. Ping http"
"""What Ray Serve's proxy says on a node that has just joined: `/-/healthz` says the same to a gateway."""


async def feed_problem(http: httpx.AsyncClient, base_url: str, user: str, limit: int) -> str | None:
    """Ask for a feed; return what was wrong with the answer, None if nothing."""
    try:
        response = await http.get(f"{base_url}/v1/feed/{user}", params={"limit": limit})
    except httpx.ConnectError as error:
        return f"{_REFUSED}: {error}"
    except httpx.HTTPError as error:
        return f"{type(error).__name__} {error}".strip()
    if response.status_code == 404 and _NO_ROUTES in response.text:
        return f"{_REFUSED}: the node's proxy has no routes yet"
    if response.is_error:
        return f"{response.status_code} {response.text[:200]}"
    return None if response.json()["items"] else "an empty feed"


def was_not_asked(problem: str) -> bool:
    """Say whether no replica was asked, so that whoever knows another address tries that."""
    return problem.startswith(_REFUSED)
