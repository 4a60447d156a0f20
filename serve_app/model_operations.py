"""What operators ask of the registry of models, without HTTP: every change is on record with who and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from actors import model_commands
from actors.model_records import LogEntry, ModelRecords
from learners.training_settings import TrainingSettings
from monitoring.model_registry import RegisteredModel
from monitoring.promotion_evidence import Stage

MOVES: dict[str, Stage] = {
    "shadow": Stage.SHADOW,
    "canary": Stage.CANARY,
    "promote": Stage.PRODUCTION,
    "stop": Stage.STOPPED,
}
"""Operator's word -> the stage it leads to."""


class UnknownModelError(LookupError):
    """There is no model of this name."""


class ModelSettingsError(ValueError):
    """A candidate's settings are wrong; `field` names which."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Registry(Protocol):
    """`actors.model_registry_store.ModelRegistryStore`."""

    async def load(self) -> ModelRecords: ...

    async def change(self, act: Callable[[ModelRecords], Sequence[LogEntry]]) -> list[LogEntry]: ...

    async def log(self) -> list[LogEntry]: ...

    async def verdicts(self) -> dict[str, Any]: ...


class ModelOperations:
    """Each call is whole or not at all, whoever else changes the registry at the same time.

    Raises TransitionError for what the registry does not allow, UnknownModelError, ModelSettingsError.
    """

    def __init__(self, registry: Registry, training: TrainingSettings, clock: Callable[[], float]) -> None:
        """training: of models without settings of their own; a candidate's differ from production's."""
        self._registry = registry
        self._training = training
        self._clock = clock

    async def overview(self) -> dict[str, Any]:
        """Return every model that is not retired: what it is for, since when, what the rules say of it."""
        records, verdicts = await self._registry.load(), await self._registry.verdicts()
        models = [
            _view(records, model, verdicts.get(model.model_id))
            for model in records.registry.models.values()
            if not model.is_retired
        ]
        return {"production": records.production, "revision": records.revision, "models": models}

    async def show(self, model_id: str) -> dict[str, Any]:
        """Return one model with its settings and its history, retired or not."""
        records, verdicts = await self._registry.load(), await self._registry.verdicts()
        model = self._model(records, model_id)
        history = [entry.model_dump() for entry in await self._registry.log() if entry.model_id == model_id]
        training = records.training(model_id, self._training)
        return {
            **_view(records, model, verdicts.get(model_id)),
            "is_retired": model.is_retired,
            "training": training.model_dump(mode="json"),
            "history": history,
        }

    async def create(
        self,
        model_id: str,
        *,
        settings: Mapping[str, Any],
        copy: bool,
        by: str,
        why: str,
        snapshot: str | None = None,
    ) -> dict[str, Any]:
        """Add a candidate as shadow. settings: what is other than in production's `training`, nested.
        snapshot: of a model that was trained offline, which it begins as."""

        def act(records: ModelRecords) -> list[LogEntry]:
            base = records.training(records.production, self._training)
            return model_commands.create_model(
                records,
                model_id,
                training=_changed(base, settings),
                of_the_system=self._training,
                copy=copy,
                now=self._clock(),
                by=by,
                why=why,
                snapshot=snapshot,
            )

        return await self._do(act)

    async def tune(self, model_id: str, *, settings: Mapping[str, Any], by: str, why: str) -> dict[str, Any]:
        """Let a model learn on with other settings; settings: what changes, nested."""

        def act(records: ModelRecords) -> list[LogEntry]:
            self._model(records, model_id)
            return model_commands.tune_model(
                records,
                model_id,
                training=_changed(records.training(model_id, self._training), settings),
                of_the_system=self._training,
                now=self._clock(),
                by=by,
                why=why,
            )

        return await self._do(act)

    async def move(self, model_id: str, move: str, *, by: str, why: str) -> dict[str, Any]:
        """Change a model's stage; move: one of MOVES."""

        def act(records: ModelRecords) -> list[LogEntry]:
            self._model(records, model_id)
            return model_commands.move_model(
                records, model_id, MOVES[move], now=self._clock(), by=by, why=why
            )

        return await self._do(act)

    async def roll_back(self, *, by: str, why: str, before: float | None) -> dict[str, Any]:
        """Put production back. before: epoch seconds a snapshot must be older than, if one is needed."""
        return await self._do(
            lambda records: model_commands.roll_back(
                records, now=self._clock(), by=by, why=why, before=before
            )
        )

    async def retire(self, model_id: str, *, by: str, why: str) -> dict[str, Any]:
        def act(records: ModelRecords) -> list[LogEntry]:
            self._model(records, model_id)
            return model_commands.retire_model(records, model_id, now=self._clock(), by=by, why=why)

        return await self._do(act)

    async def answer(self, model_id: str, *, yes: bool, by: str, why: str) -> dict[str, Any]:
        """Say yes or no to what the rules ask about a model."""

        def act(records: ModelRecords) -> list[LogEntry]:
            self._model(records, model_id)
            if yes:
                return model_commands.approve(records, model_id, now=self._clock(), by=by)
            return model_commands.decline(records, model_id, now=self._clock(), by=by, why=why)

        return await self._do(act)

    async def log(self) -> list[dict[str, Any]]:
        """Return every change that is kept, oldest first."""
        return [entry.model_dump() for entry in await self._registry.log()]

    async def _do(self, act: Callable[[ModelRecords], Sequence[LogEntry]]) -> dict[str, Any]:
        entries = await self._registry.change(act)
        return {"changes": [entry.model_dump() for entry in entries]}

    @staticmethod
    def _model(records: ModelRecords, model_id: str) -> RegisteredModel:
        try:
            return records.model(model_id)
        except LookupError as error:
            raise UnknownModelError(str(error)) from error


def _view(records: ModelRecords, model: RegisteredModel, verdict: Mapping[str, Any] | None) -> dict[str, Any]:
    waiting = model.lifecycle.waiting
    return {
        "model_id": model.model_id,
        "stage": model.lifecycle.stage.value,
        "pinned": [] if model.is_retired else [each.name for each in records.kept_versions(model.model_id)],
        "since": model.lifecycle.since,
        "lineage": records.lineage(model.model_id),
        "origin": model.origin,
        "created": model.created,
        "verdict": None if verdict is None else verdict["words"],
        "evidence": None if verdict is None else verdict["numbers"],
        "asks": None if waiting is None else waiting.words(),
    }


def _changed(base: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """Return settings with some of them replaced. Raises ModelSettingsError naming the first wrong one."""
    try:
        return TrainingSettings.model_validate(_merged(base.model_dump(), changes))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise ModelSettingsError(field, problem["msg"]) from error


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return merged
