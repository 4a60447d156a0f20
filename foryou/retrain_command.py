"""`foryou models retrain`: a candidate trained on the archive enters as a shadow, once or by a schedule."""

from __future__ import annotations

import getpass
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from foryou.client import Client
from foryou.models_command import ModelsError
from foryou.operator_client import ask_running
from foryou.settings import SystemSettings
from foryou.system_plan import snapshot_root
from foryou.train_command import TrainError, run_train_command
from learners.training_settings import TrainingSettings

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Train(Protocol):
    """`foryou.train_command.run_train_command`; tests put another in its place."""

    def __call__(
        self, settings: SystemSettings, *, snapshots: str | None, say: Callable[[str], None]
    ) -> dict[str, Any]: ...


def run_retrain_command(
    settings: SystemSettings,
    *,
    prefix: str = "retrained",
    now: float | None = None,
    train: Train = run_train_command,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train as production learns, write the model beside the system's snapshots, enter it as PREFIX-TIME, and
    retire earlier ones that are still shadows and never were production. Raises ModelsError, TrainError.

    now: epoch seconds, for the name.
    """
    if not _NAME.fullmatch(prefix):
        raise ModelsError("--prefix: letters, digits and _ . - only, at most 80")
    production = _ask(settings, lambda client: client.model(client.models()["production"]))
    try:
        training = TrainingSettings.model_validate(production["training"])
    except ValidationError as error:
        raise ModelsError(
            f"the running system's version reads settings of models otherwise: {error}"
        ) from error
    root = retrained_root(settings)
    trained = train(settings.model_copy(update={"training": training}), snapshots=root, say=say)
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    name = f"{prefix}-{moment:%Y%m%d-%H%M%S}"
    by = getpass.getuser()
    why = f"trained on {trained['archive']}: {trained['examples']} examples"
    say(f"entering {name}")
    _ask(settings, lambda client: client.create_model(name, snapshot=root, by=by, why=why))
    superseded = superseded_by(name, prefix, *_ask_for_all(settings))
    for model_id in superseded:
        _ask(settings, lambda client, old=model_id: _retired(client, old, by, name))
    return {"model_id": name, "retired": superseded, **trained}


def run_retrain_schedule(
    retrain: Callable[[], dict[str, Any]],
    every_seconds: float,
    tell: Callable[[dict[str, Any]], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Retrain now and then every so many seconds, until interrupted.

    A run that fails is told, as `failure`, and the next is taken on time: the archive, or the system, may be
    away for a while.
    """
    due = clock()
    while True:
        try:
            tell(retrain())
        except (ModelsError, TrainError) as error:
            tell({"failure": str(error)})
        due = max(due + every_seconds, clock())
        sleep(due - clock())


def retrained_root(settings: SystemSettings) -> str:
    """Return where retrained models are written: beside the snapshots, where every shard can read them."""
    root = snapshot_root(settings)
    return str(root.with_name(f"{root.name}-retrained")) if isinstance(root, Path) else f"{root}-retrained"


def superseded_by(
    name: str, prefix: str, overview: dict[str, Any], changes: list[dict[str, Any]]
) -> list[str]:
    """Return earlier models of the schedule that nobody sees. What was production may be the way back."""
    seen = {change["model_id"] for change in changes if change["what"].endswith("to production")}
    pattern = re.compile(rf"{re.escape(prefix)}-\d{{8}}-\d{{6}}")
    return [
        model["model_id"]
        for model in overview["models"]
        if model["stage"] == "shadow"
        and model["model_id"] != name
        and model["model_id"] not in seen
        and pattern.fullmatch(model["model_id"])
    ]


def _ask_for_all(settings: SystemSettings) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    overview = _ask(settings, lambda client: client.models())
    return overview, _ask(settings, lambda client: client.model_changes())["changes"]


def _retired(client: Client, model_id: str, by: str, successor: str) -> dict[str, Any]:
    return client.change_model(model_id, "retire", by=by, why=f"{successor} takes its place")


def _ask(settings: SystemSettings, question: Callable[[Client], dict[str, Any]]) -> dict[str, Any]:
    return ask_running(settings, question, ModelsError)
