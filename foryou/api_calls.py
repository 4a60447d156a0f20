"""The calls of the HTTP API, each written once, for clients that wait and for those that await."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

Answer = TypeVar("Answer")
"""What a client gives back: the decoded JSON, or an awaitable of it."""


class ApiError(Exception):
    """The API refused; the text holds call, status and reason.

    status: of HTTP, 0 where it is not known. detail: what the API says is wrong, {field, reason} and, of
    events, index; [] where it did not say.
    """

    def __init__(self, text: str, status: int = 0, detail: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.detail = list(detail)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, before it is sent."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What is tried again, and when: 429 and 503 (nothing was done), and connections that did not come about.

    retries: after the first attempt. The pause is what the server says in Retry-After, else it doubles.
    """

    retries: int = 2
    first_seconds: float = 0.2
    max_seconds: float = 5.0

    def pause(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Return after how many seconds to try again, None not to. response: None where there was none."""
        if attempt >= self.retries or (response is not None and response.status_code not in (429, 503)):
            return None
        said = "" if response is None else response.headers.get("retry-after", "")
        seconds = float(said) if said.isdigit() else self.first_seconds * 2.0**attempt
        return min(seconds, self.max_seconds)


def attempts(policy: RetryPolicy) -> Generator[float, httpx.Response | httpx.ConnectError, httpx.Response]:
    """Drive one call: send in what came of an attempt, sleep what comes out; returns what is left at the end.

    Pure, so that both clients share it. Raises the ConnectError that no further attempt mends.
    """
    attempt = 0
    outcome = yield 0.0
    while True:
        response = outcome if isinstance(outcome, httpx.Response) else None
        seconds = policy.pause(attempt, response)
        if seconds is None:
            if isinstance(outcome, httpx.ConnectError):
                raise outcome
            return outcome
        attempt += 1
        outcome = yield seconds


def decoded(call: Call, response: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON, {} where there is none. Raises ApiError."""
    if response.is_error:
        detail = _detail_of(response)
        reasons = "; ".join(_reason_of(problem) for problem in detail) or response.text
        text = f"{call.method} {call.path}: {response.status_code} {reasons}"
        raise ApiError(text, response.status_code, detail)
    answer: dict[str, Any] = response.json() if response.content else {}
    return answer


def _detail_of(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the problems that the API names; [] where something in front of it answered."""
    try:
        answer = response.json()
    except ValueError:
        return []
    detail = answer.get("detail") if isinstance(answer, dict) else None
    if not isinstance(detail, list):
        return []
    return [problem for problem in detail if isinstance(problem, dict) and "reason" in problem]


def _reason_of(problem: Mapping[str, Any]) -> str:
    place = f"event {problem['index']}, " if "index" in problem else ""
    field = f"{problem['field']}: " if problem.get("field") else ""
    return f"{place}{field}{problem['reason']}"


class ApiCalls(ABC, Generic[Answer]):
    """Every call of the API; a client says in `_ask` how it is sent.

    All raise ApiError where the API refused, and httpx.TransportError where no answer came.
    """

    @abstractmethod
    def _ask(self, call: Call) -> Answer: ...

    def feed(self, user_id: str, limit: int = 10, *, explain: bool = False, **context: str) -> Answer:
        """Return one feed; context: device, network, surface, language, or about=CONTENT_ID."""
        parameters = {"limit": limit, "explain": explain, **context}
        return self._ask(Call("GET", f"/v1/feed/{quote(user_id, safe='')}", params=parameters))

    def post_events(self, events: Sequence[Mapping[str, Any]]) -> Answer:
        """Send events; sent again they count once, by their id or by all their fields."""
        return self._ask(Call("POST", "/v1/events", json={"events": list(events)}))

    def put_content(
        self, content_id: str, creator_id: str, *, timestamp: float | str | None = None, **metadata: Any
    ) -> Answer:
        """Add or change a content. timestamp: of its upload, epoch seconds or ISO 8601; None for now."""
        body = {"creator_id": creator_id, "metadata": metadata, "timestamp": timestamp}
        return self._ask(Call("PUT", _content(content_id), json=body))

    def content(self, content_id: str) -> Answer:
        return self._ask(Call("GET", _content(content_id)))

    def delete_content(self, content_id: str) -> Answer:
        """Take a content out of every feed."""
        return self._ask(Call("DELETE", _content(content_id)))

    def put_user(self, user_id: str, **profile: Any) -> Answer:
        return self._ask(Call("PUT", f"/v1/users/{quote(user_id, safe='')}", json=profile))

    def user(self, user_id: str) -> Answer:
        """Return what is known of a person: profile, preference weights, history, sessions."""
        return self._ask(Call("GET", f"/v1/users/{quote(user_id, safe='')}"))

    def weights(self) -> Answer:
        return self._ask(Call("GET", "/v1/weights"))

    def set_weights(self, weights: Mapping[str, float], *, revision: int | None = None) -> Answer:
        """Replace the table of weights; revision: the one it was made from."""
        return self._ask(Call("PUT", "/v1/weights", json={"weights": dict(weights), "revision": revision}))

    def preview_weights(self, weights: Mapping[str, float], **body: Any) -> Answer:
        """Try a table on sample users; body: users, num_users, limit."""
        return self._ask(Call("POST", "/v1/weights/preview", json={"weights": dict(weights), **body}))

    def health(self) -> Answer:
        return self._ask(Call("GET", "/v1/health"))

    def status(self) -> Answer:
        return self._ask(Call("GET", "/v1/status"))

    def models(self) -> Answer:
        return self._ask(Call("GET", "/v1/models"))

    def model(self, model_id: str) -> Answer:
        return self._ask(Call("GET", _model(model_id)))

    def model_changes(self) -> Answer:
        return self._ask(Call("GET", "/v1/model-changes"))

    def create_model(self, model_id: str, **body: Any) -> Answer:
        """Create a candidate; body: settings, copy_weights, by, why."""
        return self._ask(Call("PUT", _model(model_id), json=body))

    def tune_model(self, model_id: str, settings: Mapping[str, Any], *, by: str, why: str = "") -> Answer:
        """Change how a model learns."""
        body = {"settings": dict(settings), "by": by, "why": why}
        return self._ask(Call("PATCH", _model(model_id), json=body))

    def change_model(self, model_id: str, action: str, *, by: str, why: str = "") -> Answer:
        """Do to a model what `foryou models` names: shadow, canary, promote, stop, retire, ..."""
        return self._ask(Call("POST", f"{_model(model_id)}/{action}", json={"by": by, "why": why}))

    def roll_back(self, *, by: str, why: str = "", before: float | None = None) -> Answer:
        return self._ask(Call("POST", "/v1/models/rollback", json={"by": by, "why": why, "before": before}))


def _content(content_id: str) -> str:
    return f"/v1/content/{quote(content_id, safe='')}"


def _model(model_id: str) -> str:
    return f"/v1/models/{quote(model_id, safe='')}"
