"""The dense weights of a model on one shard: those arrays whose name hashes to a hosted bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from messages.arrays import FloatArray
from messages.identifiers import buckets_of, keys_of
from parameter_server.dense_optimizer import apply_dense
from parameter_server.settings import DenseSettings
from parameter_server.stream_statistics import add_to_sums, raise_maxima


def bucket_of_dense(name: str) -> int:
    """Return the bucket that a dense weight array belongs to."""
    return int(buckets_of(keys_of([name]))[0])


@dataclass(slots=True)
class DenseState:
    """One weight array with its Adam moments (float32, one shape) and the number of steps it has made."""

    values: FloatArray
    first: FloatArray
    second: FloatArray
    steps: int = 0

    @classmethod
    def beginning(cls, values: FloatArray) -> DenseState:
        own = np.array(values, dtype=np.float32, order="C")
        return cls(own, np.zeros_like(own), np.zeros_like(own))

    def copy(self) -> DenseState:
        return DenseState(self.values.copy(), self.first.copy(), self.second.copy(), self.steps)


class DenseParameters:
    """Dense weights under Adam with an inverse-time decay of the rate (`DenseSettings.rate_at`)."""

    def __init__(self, settings: DenseSettings) -> None:
        self.settings = settings
        self._states: dict[str, DenseState] = {}
        self._versions: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._states

    @property
    def num_weights(self) -> int:
        return sum(state.values.size for state in self._states.values())

    @property
    def num_bytes(self) -> int:
        return 3 * sum(state.values.nbytes for state in self._states.values())

    def shape_of(self, name: str) -> tuple[int, ...]:
        return self._states[name].values.shape

    def put(self, name: str, state: DenseState, version: int) -> None:
        """Take over a copy of a weight array and its moments: what came from another process is read-only."""
        self._states[name] = state.copy()
        self._versions[name] = version

    def apply(
        self, gradients: Mapping[str, FloatArray], version: int, learning_rate_scale: float = 1.0
    ) -> None:
        """Make one step with each gradient, which has the shape of its weights, or add to a statistic."""
        for name, gradient in gradients.items():
            state = self._states[name]
            if name in self.settings.sums:
                add_to_sums(state.values, gradient)
            elif name in self.settings.maxima:
                raise_maxima(state.values, gradient)
            else:
                apply_dense(
                    self.settings,
                    state.values,
                    state.first,
                    state.second,
                    gradient,
                    state.steps,
                    learning_rate_scale,
                )
            state.steps += 1
            self._versions[name] = version

    def newer_than(self, version: int) -> dict[str, FloatArray]:
        """Return copies of the weights changed after `version`; -1 for all."""
        return {
            name: state.values.copy()
            for name, state in self._states.items()
            if self._versions[name] > version
        }

    def states(self, newer_than: int = -1) -> dict[str, DenseState]:
        """Return copies of what changed after a version; -1 for all."""
        return {
            name: state.copy() for name, state in self._states.items() if self._versions[name] > newer_than
        }

    def drop(self, name: str) -> None:
        """Forget a weight array that lives elsewhere now."""
        del self._states[name], self._versions[name]
