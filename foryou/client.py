"""A small client of the HTTP API, for commands and for whoever writes Python."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx


class ApiError(Exception):
    """The API refused; the text holds its status and its reason."""


class Client:
    """Synchronous. base_url: as `foryou up` prints it. key: where the API asks for one."""

    def __init__(self, base_url: str, timeout: float = 10.0, key: str | None = None) -> None:
        headers = {} if key is None else {"X-API-Key": key}
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=headers)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def feed(self, user_id: str, limit: int = 10, *, explain: bool = False, **context: str) -> dict[str, Any]:
        """Return one feed; context: device, network, surface, language, or about=CONTENT_ID."""
        parameters = {"limit": limit, "explain": explain, **context}
        return self._ask("GET", f"/v1/feed/{user_id}", params=parameters)

    def post_events(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        return self._ask("POST", "/v1/events", json={"events": events})

    def put_content(self, content_id: str, creator_id: str, **metadata: Any) -> dict[str, Any]:
        body = {"creator_id": creator_id, "metadata": metadata}
        return self._ask("PUT", f"/v1/content/{content_id}", json=body)

    def delete_content(self, content_id: str) -> None:
        """Take a content out of every feed. Raises ApiError where it is not there."""
        self._ask("DELETE", f"/v1/content/{content_id}")

    def user(self, user_id: str) -> dict[str, Any]:
        """Return what is known of a person: profile, preference weights, history, sessions."""
        return self._ask("GET", f"/v1/users/{user_id}")

    def weights(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/weights")

    def set_weights(self, weights: dict[str, float], *, revision: int | None = None) -> dict[str, Any]:
        """Replace the table of weights; revision: the one it was made from."""
        return self._ask("PUT", "/v1/weights", json={"weights": weights, "revision": revision})

    def preview_weights(self, weights: dict[str, float], **body: Any) -> dict[str, Any]:
        """Try a table on sample users; body: users, num_users, limit."""
        return self._ask("POST", "/v1/weights/preview", json={"weights": weights, **body})

    def put_user(self, user_id: str, **profile: Any) -> dict[str, Any]:
        return self._ask("PUT", f"/v1/users/{user_id}", json=profile)

    def health(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/health")

    def status(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/status")

    def models(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/models")

    def model(self, model_id: str) -> dict[str, Any]:
        return self._ask("GET", f"/v1/models/{model_id}")

    def model_changes(self) -> dict[str, Any]:
        return self._ask("GET", "/v1/model-changes")

    def create_model(self, model_id: str, **body: Any) -> dict[str, Any]:
        """Create a candidate; body: settings, copy_weights, by, why."""
        return self._ask("PUT", f"/v1/models/{model_id}", json=body)

    def change_model(self, model_id: str, action: str, *, by: str, why: str = "") -> dict[str, Any]:
        """Do to a model what `foryou models` names: shadow, canary, promote, stop, retire, ..."""
        return self._ask("POST", f"/v1/models/{model_id}/{action}", json={"by": by, "why": why})

    def roll_back(self, *, by: str, why: str = "", before: float | None = None) -> dict[str, Any]:
        return self._ask("POST", "/v1/models/rollback", json={"by": by, "why": why, "before": before})

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._http.request(method, path, **arguments)
        if response.is_error:
            raise ApiError(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
