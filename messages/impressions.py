"""An impression record: one slate as it was served, with all that a joiner needs, so it looks nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from messages.arrays import FloatArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.shown_contents import (
    NO_NAMES,
    contents_from_wire,
    contents_to_wire,
    pack_names,
    unpack_names,
)
from messages.slate_features import SlateFeatures

ServedFeatures: TypeAlias = SlateFeatures | FeatureBatch


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The moment of a request. Empty strings where the client did not say.

    surface: the page of the client on which the feed is shown. network_speed: megabits per second, or NaN.
    """

    device: str = ""
    network: str = ""
    surface: str = ""
    language: str = ""
    network_speed: float = float("nan")

    def to_wire(self) -> list[Any]:
        return [self.device, self.network, self.surface, self.language, self.network_speed]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> RequestContext:
        return cls(*wire)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """Which weights answered: the model, the lineage its rows belong to, and the sync version in it."""

    model_id: str
    lineage: str
    counter: int

    def __str__(self) -> str:
        return f"{self.lineage}.{self.counter}"

    def to_wire(self) -> list[Any]:
        return [self.model_id, self.lineage, self.counter]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> ModelVersion:
        return cls(wire[0], wire[1], int(wire[2]))


@dataclass(frozen=True, slots=True)
class Impression:
    """One slate of n contents shown to one person.

    timestamp: epoch seconds by the server's clock. propensities: the probability with which the policy put
    each content at its place, float32 [n], NaN where nothing was drawn (UCB). scores: the final score,
    float32 [n]. features: as scored; None in a replay, where the joiner computes the person's and the learner
    the counters'. profile: of a replay's person, whom no store knows; its fields become traits.
    engage_chances: the probability that the model gave an engagement, float32 [n]; None where none did.
    """

    request_id: str
    user_id: str
    timestamp: float
    model: ModelVersion
    arm: str
    context: RequestContext
    contents: ContentColumns
    propensities: FloatArray
    scores: FloatArray
    sources: list[str]
    features: ServedFeatures | None
    profile: Mapping[str, Any] | None = None
    engage_chances: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.contents)

    def to_wire(self) -> dict[str, Any]:
        optional = {"profile": self.profile and dict(self.profile), "engage_chances": self.engage_chances}
        return {
            "request_id": self.request_id,
            "user_id": self.user_id,
            "timestamp": self.timestamp,
            "model": self.model.to_wire(),
            "arm": self.arm,
            "context": self.context.to_wire(),
            "names": pack_names(self.contents, self.sources),
            "contents": contents_to_wire(self.contents),
            "propensities": self.propensities,
            "scores": self.scores,
            "features": None if self.features is None else self.features.to_wire(),
        } | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], *, with_names: bool = True) -> Impression:
        """Decode what `to_wire` made, in this version or an earlier one, which had the names among the
        contents. with_names: False leaves the lists of names empty where they stand apart."""
        chances = wire.get("engage_chances")
        packed = None if "sources" in wire else wire["names"]
        names = unpack_names(packed) if with_names and packed is not None else NO_NAMES
        return cls(
            request_id=wire["request_id"],
            user_id=wire["user_id"],
            timestamp=float(wire["timestamp"]),
            model=ModelVersion.from_wire(wire["model"]),
            arm=wire["arm"],
            context=RequestContext.from_wire(wire["context"]),
            contents=contents_from_wire(wire["contents"], names),
            propensities=np.asarray(wire["propensities"], dtype=np.float32),
            scores=np.asarray(wire["scores"], dtype=np.float32),
            sources=wire["sources"] if "sources" in wire else names[-1],
            features=features_from_wire(wire["features"]),
            profile=wire.get("profile"),
            engage_chances=None if chances is None else np.asarray(chances, dtype=np.float32),
        )


def features_from_wire(wire: Any) -> ServedFeatures | None:
    """Decode features in either form: those of a slate, or whole rows, as earlier versions wrote them."""
    if wire is None:
        return None
    return SlateFeatures.from_wire(wire) if "layout" in wire else FeatureBatch.from_wire(wire)
