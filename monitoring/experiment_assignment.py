"""Who sees what: a function of the person's key and of salts, so it sticks and nobody has to remember it.

A layer divides people into ranges; experiments in one layer own disjoint ranges, so nobody is in two of them,
and experiments in different layers are independent (Tang et al., "Overlapping experiment infrastructure", KDD
2010). Traffic and arm are drawn by different hashes: an experiment that is given more traffic keeps everybody
it has in the arm they are in.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from messages.arrays import DoubleArray, IdArray, IntArray
from messages.identifiers import key_of, mix

PRODUCTION_ARM = "production"
"""Of everybody who is in no experiment."""

HOLDOUT_ARM = "holdout"

NOT_IN_EXPERIMENT = -1

_TO_UNIT = 2.0**-53

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]


class ArmSettings(BaseModel):
    """model_id: who answers. weight: relative to the other arms; changing it moves people between arms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    model_id: Annotated[str, Field(min_length=1)]
    weight: float = Field(default=1.0, gt=0)


class ExperimentSettings(BaseModel):
    """traffic: the share of the layer's people, and start: where its range begins, both in [0, 1].

    arms: the first is the control. salt: opens a new draw; empty means the name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    arms: Annotated[tuple[ArmSettings, ...], Field(min_length=2)]
    traffic: float = Field(default=1.0, ge=0, le=1)
    start: float = Field(default=0.0, ge=0, le=1)
    layer: Name = "ranking"
    salt: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ValueError(f"experiment {self.name}: arms must have different names")
        if self.start + self.traffic > 1 + 1e-9:
            raise ValueError(f"experiment {self.name}: start and traffic reach past the layer's end")
        return self

    def label(self, arm: int) -> str:
        """Return the arm as impressions and examples name it."""
        return f"{self.name}/{self.arms[arm].name}"

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the experiment's people, by arm; they sum to 1."""
        total = sum(arm.weight for arm in self.arms)
        return tuple(arm.weight / total for arm in self.arms)


class AssignmentSettings(BaseModel):
    """holdout_share: of all people, kept out of every experiment for good, to see what all of them did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiments: tuple[ExperimentSettings, ...] = ()
    holdout_share: float = Field(default=0.0, ge=0, lt=1)
    holdout_salt: str = "holdout"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({experiment.name for experiment in self.experiments}) < len(self.experiments):
            raise ValueError("experiments must have different names")
        by_layer: dict[str, list[ExperimentSettings]] = {}
        for experiment in self.experiments:
            by_layer.setdefault(experiment.layer, []).append(experiment)
        for layer, members in by_layer.items():
            ordered = sorted(members, key=lambda member: (member.start, member.traffic))
            for first, second in itertools.pairwise(ordered):
                if first.start + first.traffic > second.start + 1e-9:
                    raise ValueError(f"layer {layer}: {first.name} and {second.name} share people")
        return self


@dataclass(frozen=True, slots=True)
class Assignment:
    """arm: as impressions name it. model_id: None means production's."""

    arm: str
    model_id: str | None


class ExperimentAssigner:
    """Draws arms. Two of them with the same settings agree on everybody, anywhere, at any time."""

    def __init__(self, settings: AssignmentSettings) -> None:
        self.settings = settings

    def assign(self, user_id: str) -> Assignment:
        """Return what serves a person. Where layers put one into several experiments, the first listed
        decides the model."""
        keys = np.array([key_of(user_id)], dtype=np.uint64)
        if self.in_holdout(keys)[0]:
            return Assignment(HOLDOUT_ARM, None)
        for experiment in self.settings.experiments:
            arm = int(_draw_arms(experiment, keys)[0])
            if arm != NOT_IN_EXPERIMENT:
                return Assignment(experiment.label(arm), experiment.arms[arm].model_id)
        return Assignment(PRODUCTION_ARM, None)

    def in_holdout(self, user_keys: IdArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return bool [n]."""
        return uniform_of(user_keys, self.settings.holdout_salt) < self.settings.holdout_share

    def arms(self, experiment: ExperimentSettings, user_keys: IdArray) -> IntArray:
        """Return the arm of each person, int64 [n]; NOT_IN_EXPERIMENT where they have none."""
        return np.where(self.in_holdout(user_keys), NOT_IN_EXPERIMENT, _draw_arms(experiment, user_keys))


def uniform_of(user_keys: IdArray, salt: str) -> DoubleArray:
    """Hash people with a salt to numbers in [0, 1), float64 [n]; different salts are independent."""
    bits = mix(mix(user_keys) ^ np.uint64(key_of(salt))) >> np.uint64(11)
    return bits.astype(np.float64) * _TO_UNIT


def arms_of(user_keys: IdArray, salt: str, shares: Sequence[float]) -> IntArray:
    """Draw an arm for everybody, int64 [n], by shares that sum to 1."""
    edges = np.cumsum(shares)[:-1]
    return np.searchsorted(edges, uniform_of(user_keys, salt), side="right").astype(np.int64)


def _draw_arms(experiment: ExperimentSettings, user_keys: IdArray) -> IntArray:
    salt = experiment.salt or experiment.name
    place = uniform_of(user_keys, f"layer:{experiment.layer}")
    inside = (place >= experiment.start) & (place < experiment.start + experiment.traffic)
    return np.where(inside, arms_of(user_keys, f"arm:{salt}", experiment.shares), NOT_IN_EXPERIMENT)
