"""Every setting of a system: each part's own model, composed here, read from file, environment and flags.

Later beats earlier: the defaults, `foryou.toml`, `FORYOU_...` variables (two underscores step into a section:
`FORYOU_HTTP__PORT=8080`), the command line's flags. A key or value that means nothing is an error naming it.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.archive_files import ArchiveSettings
from actors.examples_follower import BatchingSettings
from actors.models_settings import ModelsSettings
from actors.names import LIVE_NAMESPACE
from actors.placement import PlacementSettings
from actors.streams import StreamSettings
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from messages.identifiers import DEFAULT_NUM_PARTITIONS
from serve_app.feed_settings import FeedSettings

ENVIRONMENT_PREFIX = "FORYOU_"
DEFAULT_FILE = Path("foryou.toml")


class SettingsError(ValueError):
    """A setting is wrong; the text names the key, where it was set, and what is expected."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(_Section):
    """Where clients reach the API. Only this machine can, unless a host says otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    """0 takes a free port."""
    replicas: int = Field(default=1, ge=1)
    max_replicas: int | None = Field(default=None, ge=1)
    """Above `replicas`, their number follows the load up to this."""
    max_ongoing_requests: int = Field(default=128, ge=1)
    max_queued_requests: int = Field(default=256, ge=1)
    """Both of one replica; it refuses earlier: `feed.api.max_wait_seconds`, `max_under_way`."""

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost")


class ServiceSettings(_Section):
    """The broker and the store: an operator's own by URL, or ours on this machine."""

    nats_url: str | None = None
    store_url: str | None = None
    state: Path = Path(".foryou")
    nats_sync: Literal["default", "always"] = "default"


class ShardSettings(_Section):
    count: int = Field(default=2, ge=1, le=256)
    snapshots: str | None = None
    """A folder, or a URI of pyarrow (abfs://, s3://, gs://); default a folder under `services.state`."""
    snapshot_every_seconds: float = Field(default=30.0, gt=0)
    snapshots_kept: int = Field(default=3, ge=1)


class SyncSettings(_Section):
    every_seconds: float = Field(default=0.1, gt=0)


class SystemSettings(_Section):
    """The whole of it."""

    namespace: str = LIVE_NAMESPACE
    num_partitions: int = Field(default=DEFAULT_NUM_PARTITIONS, ge=1, le=1024)
    http: HttpSettings = HttpSettings()
    services: ServiceSettings = ServiceSettings()
    streams: StreamSettings = StreamSettings()
    shards: ShardSettings = ShardSettings()
    sync: SyncSettings = SyncSettings()
    placement: PlacementSettings = PlacementSettings()
    joiner: JoinerSettings = JoinerSettings()
    training: TrainingSettings = TrainingSettings()
    batching: BatchingSettings = BatchingSettings()
    models: ModelsSettings = ModelsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    """Off unless `archive.uri` says where."""
    learning: bool = True
    """False starts no learner: what is served then is what the snapshot holds."""
    feed: FeedSettings = FeedSettings()


def load_settings(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> SystemSettings:
    """Compose the settings. file: None reads `foryou.toml` where it is there. Raises SettingsError."""
    layers = [
        ("the environment", _from_environment(os.environ if environment is None else environment)),
        ("the command line", dict(flags or {})),
    ]
    path = DEFAULT_FILE if file is None else file
    if file is not None or path.exists():
        layers.insert(0, (str(path), _from_file(path)))
    merged: dict[str, Any] = {}
    for _, layer in layers:
        _merge(merged, layer)
    try:
        return SystemSettings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, layers)) from error


def with_changes(settings: SystemSettings, changes: Mapping[str, Any]) -> SystemSettings:
    """Return settings with some replaced. changes: nested as in a settings file."""
    merged = settings.model_dump()
    _merge(merged, changes)
    return SystemSettings.model_validate(merged)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise SettingsError(f"there is no settings file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        section = nested
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = _parse(text)
    return nested


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, Mapping):
            into[key] = {}
            _merge(into[key], value)
        else:
            into[key] = value


def _explain(error: ValidationError, layers: list[tuple[str, dict[str, Any]]]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"]]
        source = next((name for name, layer in reversed(layers) if _holds(layer, path)), "the defaults")
        reason = "there is no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{'.'.join(path)} (from {source}): {reason}")
    return "\n".join(lines)


def _holds(layer: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(layer, Mapping) or part not in layer:
            return False
        layer = layer[part]
    return True
