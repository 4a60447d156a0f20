"""The application as Serve's own configuration files name it: `import_path: foryou.serve_application:build`.

For KubeRay's RayService and `serve deploy`: Serve calls `build` in a process of the cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from foryou.deployment import bring_up
from foryou.settings import load_settings

if TYPE_CHECKING:
    from ray import serve


def build(arguments: dict[str, str]) -> serve.Application:
    """Bring the actors up and return the application over them.

    arguments: `config`, the settings file on every node (foryou.toml where left out); `revision`, whatever
    makes Serve build and roll out anew. Raises SettingsError, DeploymentError.
    """
    config = arguments.get("config")
    settings = load_settings(None if config is None else Path(config))
    _, application, _ = bring_up(settings, revision=arguments.get("revision", ""))
    return application
