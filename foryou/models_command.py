"""`foryou models ...`: what the running system's registry of models says, and changes of it, over HTTP."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from foryou.client import Client
from foryou.operator_client import ask_running
from foryou.settings import SystemSettings

ACTIONS: dict[str, str] = {
    "shadow": "Let a canary or a stopped model learn on without answering anybody.",
    "canary": "Let a share of people see a model, and as many be its control.",
    "promote": "Make a model production; what was production goes on learning as a shadow.",
    "stop": "End a candidate; its weights stay until it is retired.",
    "retire": "End a model for good and free its memory; its history stays.",
    "approve": "Say yes to what the rules ask about a model.",
    "decline": "Say no to it.",
}


class ModelsError(ValueError):
    """Nothing runs, a setting cannot be read, or the registry does not allow the change."""


def run_models_list(settings: SystemSettings) -> dict[str, Any]:
    return _ask(settings, lambda client: client.models())


def run_models_show(settings: SystemSettings, model_id: str) -> dict[str, Any]:
    return _ask(settings, lambda client: client.model(model_id))


def run_models_log(settings: SystemSettings) -> dict[str, Any]:
    return _ask(settings, lambda client: client.model_changes())


def run_models_create(
    settings: SystemSettings,
    model_id: str,
    *,
    changes: Sequence[str],
    from_scratch: bool,
    why: str,
    snapshot: str | None = None,
) -> dict[str, Any]:
    """Create a candidate. changes: KEY=VALUE, of `training` in the settings, dots step into sections.
    snapshot: where `foryou train` wrote the model that it begins as."""
    if snapshot is not None and from_scratch:
        raise ModelsError("--snapshot and --from-scratch: a model begins as one of the two")
    body: dict[str, Any] = {"settings": nested(changes), "copy_weights": not from_scratch}
    if snapshot is not None:
        body["snapshot"] = snapshot if "://" in snapshot else str(Path(snapshot).resolve())
    return _ask(
        settings,
        lambda client: client.create_model(model_id, **body, by=getpass.getuser(), why=why),
    )


def run_models_set(
    settings: SystemSettings, model_id: str, changes: Sequence[str], *, why: str
) -> dict[str, Any]:
    """Change how a model learns. changes: KEY=VALUE, as `run_models_create` takes them."""
    changed, by = nested(changes), getpass.getuser()
    return _ask(settings, lambda client: client.tune_model(model_id, changed, by=by, why=why))


def run_models_action(settings: SystemSettings, model_id: str, action: str, *, why: str) -> dict[str, Any]:
    """Do one of ACTIONS."""
    by = getpass.getuser()
    return _ask(settings, lambda client: client.change_model(model_id, action, by=by, why=why))


def run_models_rollback(settings: SystemSettings, *, before: float | None, why: str) -> dict[str, Any]:
    by = getpass.getuser()
    return _ask(settings, lambda client: client.roll_back(by=by, why=why, before=before))


def nested(changes: Sequence[str]) -> dict[str, Any]:
    """Turn KEY=VALUE into nested settings; values are JSON, or text where they are none. Raises
    ModelsError."""
    settings: dict[str, Any] = {}
    for change in changes:
        path, equals, text = change.partition("=")
        *sections, name = path.split(".")
        if not equals or not all((*sections, name)):
            raise ModelsError(f"{change}: write KEY=VALUE, for example model.learning_rate=0.1")
        inner = settings
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ModelsError(f"{change}: {section} is set as a value, too")
        try:
            inner[name] = json.loads(text)
        except json.JSONDecodeError:
            inner[name] = text
    return settings


def _ask(settings: SystemSettings, question: Callable[[Client], dict[str, Any]]) -> dict[str, Any]:
    return ask_running(settings, question, ModelsError)
