"""`foryou weights ...`: what signals are worth in the running system, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from foryou.client import Client
from foryou.operator_client import ask_running
from foryou.settings import SystemSettings


class WeightsError(ValueError):
    """Nothing runs, a weight cannot be read, or the system refuses the table; the text names the signal."""


def run_weights_show(settings: SystemSettings) -> dict[str, Any]:
    """Return revision and every signal's weight."""
    return _flat(_ask(settings, lambda client: client.weights()))


def run_weights_set(settings: SystemSettings, changes: Sequence[str], *, replace: bool) -> dict[str, Any]:
    """Change some signals and keep the others; with `replace` signals left out count nothing.

    changes: SIGNAL=WEIGHT. Raises WeightsError, also where somebody else changed the table meanwhile.
    """
    given = parsed_weights(changes)

    def change(client: Client) -> dict[str, Any]:
        before = client.weights()
        table = given if replace else {**before["weights"], **given}
        return client.set_weights(table, revision=before["revision"])

    return _flat(_ask(settings, change))


def run_weights_preview(
    settings: SystemSettings, changes: Sequence[str], *, users: Sequence[str], num_users: int, limit: int
) -> dict[str, Any]:
    """Compare the slates of some people with and without changes; nothing is changed. Raises WeightsError."""
    given = parsed_weights(changes)

    def preview(client: Client) -> dict[str, Any]:
        table = {**client.weights()["weights"], **given}
        return client.preview_weights(table, users=list(users), num_users=num_users, limit=limit)

    answer = _ask(settings, preview)
    changed = {f"expected_{head}": change for head, change in answer["expected_change"].items()}
    return {
        "people": len(answer["users"]),
        "contents_kept": answer["contents_kept"],
        "slates_unchanged": answer["slates_unchanged"],
        **changed,
        "users": answer["users"],
    }


def parsed_weights(changes: Sequence[str]) -> dict[str, float]:
    """Read SIGNAL=WEIGHT. Raises WeightsError."""
    table = {}
    for change in changes:
        name, _, text = change.partition("=")
        try:
            table[name.strip()] = float(text)
        except ValueError:
            raise WeightsError(f"{change}: expected SIGNAL=WEIGHT, like share=2.5") from None
    if not table:
        raise WeightsError("name at least one weight, like share=2.5")
    return table


def _flat(answer: dict[str, Any]) -> dict[str, Any]:
    return {"revision": answer["revision"], "changed_at": answer["changed_at"], **answer["weights"]}


def _ask(settings: SystemSettings, question: Callable[[Client], dict[str, Any]]) -> dict[str, Any]:
    return ask_running(settings, question, WeightsError)
