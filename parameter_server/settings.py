"""What can be set about tables, optimizers and groups."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

OptimizerName: TypeAlias = Literal["sgd", "adagrad", "rowwise_adagrad", "adam", "ftrl"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AdmissionSettings(_Settings):
    """When a new id is given a row; until then it reads as its initial value and its gradients are dropped.

    min_count: occurrences up to and with this batch, counted exactly. probability: of each occurrence to be
    the one that counts, once there are enough. max_candidates: ids counted at a time, over all shards; the
    least recently seen are forgotten first. Births (rows from a content's own features) are always admitted.
    """

    min_count: Annotated[int, Field(ge=1, lt=1 << 32)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_candidates: Annotated[int, Field(ge=256)] = 1 << 20

    @property
    def admits_all(self) -> bool:
        return self.min_count == 1 and self.probability == 1.0


class SlotSettings(_Settings):
    """One embedding table, the optimizer of its rows, and which rows it keeps.

    initial_scale: rows begin uniform in (-scale, scale). initial_accumulator: where Adagrad's and FTRL's sum
    of squares begins. l1, beta: of FTRL. l2: added to the gradient as l2 * weight, on touched rows only (a
    penalty in FTRL's closed form). clip: the largest Euclidean norm of one row's gradient, None for no bound.
    decay_gamma, floor: the rate of step t is learning_rate / (1 + decay_gamma * t), but never under floor; t
    counts the updates of this table. expire_after_seconds: of stream time without an update, None for never.
    max_rows: over all shards, each of which keeps its buckets' share; the least recently updated go first.
    """

    dimension: Annotated[int, Field(ge=1, le=4096)]
    optimizer: OptimizerName = "adagrad"
    learning_rate: Positive = 0.05
    decay_gamma: NonNegative = 0.0
    floor: NonNegative = 0.0
    initial_scale: NonNegative = 0.01
    initial_accumulator: NonNegative = 0.1
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    beta: NonNegative = 1.0
    clip: Positive | None = None
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Positive = 1e-8
    admission: AdmissionSettings = AdmissionSettings()
    expire_after_seconds: Positive | None = None
    max_rows: Annotated[int, Field(ge=1, lt=1 << 32)] | None = None

    def rate_at(self, step: int) -> float:
        """Return the learning rate of step t = 0, 1, ... (Robbins-Monro's inverse time, bounded below)."""
        return max(self.floor, self.learning_rate / (1.0 + self.decay_gamma * step))

    def has_same_layout(self, other: SlotSettings) -> bool:
        """Say whether rows written under one can be read under the other, missing ones included."""
        return (self.dimension, self.optimizer, self.initial_scale) == (
            other.dimension,
            other.optimizer,
            other.initial_scale,
        )


class DenseSettings(_Settings):
    """Adam for the dense weights, at a rate of learning_rate / (1 + decay_gamma * t), but never under floor.

    t counts the steps of each weight array. clip_norm bounds the Euclidean norm of one array's gradient, so
    that the result does not depend on which shards hold the others. sums, maxima: names of arrays that no
    optimizer moves: what is pushed is added to them, or kept where it is larger (`stream_statistics.py`).
    """

    learning_rate: Positive = 1e-3
    decay_gamma: NonNegative = 1e-5
    floor: NonNegative = 1e-4
    l2: NonNegative = 0.0
    clip_norm: Positive | None = None
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    epsilon: Positive = 1e-8
    sums: tuple[str, ...] = ()
    maxima: tuple[str, ...] = ()

    def rate_at(self, step: int) -> float:
        """Return the learning rate of step t = 0, 1, ... (Robbins-Monro's inverse time, bounded below)."""
        return max(self.floor, self.learning_rate / (1.0 + self.decay_gamma * step))


class GroupSettings(_Settings):
    """One set of tables with positions of its own: a model, or the content counters.

    num_partitions: of EXAMPLES. counters: whether the group holds a counter table.
    """

    slots: dict[str, SlotSettings] = Field(default_factory=dict)
    dense: DenseSettings = DenseSettings()
    num_partitions: Annotated[int, Field(ge=1, le=65_536)]
    counters: bool = False

    def has_same_layout(self, other: GroupSettings) -> bool:
        """Say whether a group made under one can go on under the other (only rates and bounds differ)."""
        return (
            self.slots.keys() == other.slots.keys()
            and all(self.slots[slot].has_same_layout(other.slots[slot]) for slot in self.slots)
            and (self.num_partitions, self.counters) == (other.num_partitions, other.counters)
        )
