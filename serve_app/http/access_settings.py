"""Who may do what, and how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Key = Annotated[SecretStr, Field(min_length=8, max_length=200)]


class AccessSettings(BaseModel):
    """client_keys: open everything but what operators do; none means that no key is asked for. admin_keys:
    open everything; without any, operators' calls are open on this machine and closed beyond it.
    calls_per_second, burst: of each key, in each replica (specification, section 10.3); 0 is no limit. Calls
    from this machine alone (`is_loopback`, set by who starts the system) are not counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_keys: tuple[Key, ...] = ()
    admin_keys: tuple[Key, ...] = ()
    calls_per_second: float = Field(5.0, ge=0)
    burst: int = Field(10, ge=1)
    is_loopback: bool = True
