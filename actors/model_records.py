"""What the registry keeps of all models: stages, settings, how their groups begin, what is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from actors.model_groups import GroupBirth, group_name, lineage_name
from actors.models_settings import ModelsSettings
from learners.training_settings import TrainingSettings
from monitoring.model_registry import ModelRegistry, RegisteredModel
from monitoring.promotion_evidence import Stage

_KEPT_VERSIONS = 3


class ModelSpec(BaseModel):
    """training: None means the system's own settings, whatever they are. birth: of the present lineage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    training: TrainingSettings | None = None
    birth: GroupBirth = GroupBirth()


class LogEntry(BaseModel):
    """One change of the registry: when (epoch seconds), who, what became of which model, why, on what
    evidence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: float
    by: str
    model_id: str
    what: str
    why: tuple[str, ...]
    numbers: dict[str, float] = {}


class PinnedVersion(BaseModel):
    """What a group was when it was promoted or came from the archive, at `time`, epoch seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str
    time: float

    @property
    def name(self) -> str:
        """Of the pin of its snapshots."""
        return f"{self.group}-{self.time:.3f}"


@dataclass(slots=True)
class ModelRecords:
    """versions: that a rollback may go back to, oldest first; `kept_versions` says which still count.
    dropped_groups: of lineages and models that are over: no shard need hold them. revision: rises with
    every change that is kept."""

    registry: ModelRegistry
    specs: dict[str, ModelSpec] = field(default_factory=dict)
    dropped_groups: list[str] = field(default_factory=list)
    versions: list[PinnedVersion] = field(default_factory=list)
    revision: int = 0

    @property
    def production(self) -> str:
        return self.registry.production

    def model(self, model_id: str) -> RegisteredModel:
        """Raises LookupError."""
        if model_id not in self.registry.models:
            raise LookupError(f"there is no model {model_id}")
        return self.registry.models[model_id]

    def group(self, model_id: str) -> str:
        """Return the group of a model's present lineage."""
        return group_name(model_id, self.model(model_id).lineage)

    def lineage(self, model_id: str) -> str:
        return lineage_name(self.model(model_id).lineage)

    def training(self, model_id: str, of_the_system: TrainingSettings) -> TrainingSettings:
        return self.specs[model_id].training or of_the_system

    def learning(self) -> list[str]:
        """Return the models that learn: all that are not stopped, production first."""
        stopped = (Stage.STOPPED,)
        models = self.registry.models.values()
        learning = [model.model_id for model in models if model.lifecycle.stage not in stopped]
        return sorted(learning, key=lambda model_id: model_id != self.production)

    def at_hand(self) -> list[str]:
        """Return the models that replicas hold: production, canaries, and the one a rollback would go to."""
        canaries = [
            model.model_id for model in self.registry.models.values() if model.lifecycle.stage is Stage.CANARY
        ]
        return list(dict.fromkeys([self.production, *canaries, *self.heirs()[:1]]))

    def heirs(self) -> list[str]:
        """Return what was production before and still learns, newest first: a rollback goes to the first."""
        return [
            name
            for name in dict.fromkeys(self.registry.former[::-1])
            if self.registry.models[name].lifecycle.stage is Stage.SHADOW
        ]

    def pin(self, model_id: str, now: float) -> None:
        """Keep what a model is now for as long as its group is somebody's past or present."""
        self.versions = [*self.kept_versions(), PinnedVersion(group=self.group(model_id), time=now)]

    def kept_versions(self, model_id: str | None = None) -> list[PinnedVersion]:
        """Return the newest few versions of each model (or of one): of its lineage and of the one it began
        as."""
        kept: list[PinnedVersion] = []
        for name, model in self.registry.models.items():
            if model.is_retired or model_id not in (None, name):
                continue
            birth = self.specs[name].birth
            groups = {self.group(name), birth.source if birth.kind == "snapshot" and not birth.root else ""}
            kept += [version for version in self.versions if version.group in groups][-_KEPT_VERSIONS:]
        return sorted(set(kept), key=lambda version: version.time)

    def to_wire(self) -> dict[str, Any]:
        return {
            "registry": self.registry.to_wire(),
            "specs": {name: spec.model_dump() for name, spec in self.specs.items()},
            "dropped_groups": self.dropped_groups,
            "versions": [version.model_dump() for version in self.kept_versions()],
            "revision": self.revision,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], settings: ModelsSettings) -> ModelRecords:
        registry = ModelRegistry.from_wire(wire["registry"], settings.promotion)
        if not any(model.canary_start is not None for model in registry.models.values()):
            registry.canary_share = settings.canary_share  # with a canary it would move people between arms
        return cls(
            registry=registry,
            specs={name: ModelSpec.model_validate(spec) for name, spec in wire["specs"].items()},
            dropped_groups=list(wire["dropped_groups"]),
            versions=[PinnedVersion.model_validate(version) for version in wire.get("versions", [])],
            revision=wire["revision"],
        )
