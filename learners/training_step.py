"""One mini-batch: which rows to pull, then loss and gradients to push. The only module that knows torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from learners.comment_texts import comment_gradients, text_statistics
from learners.content_births import birth_rows
from learners.features.counter_features import LOG_COUNT_SCALE, counter_block_of
from learners.features.schema import COUNTER_FEATURES, RETRIEVAL_SLOT
from learners.gradient_clipping import clipped_rows, norm_of
from learners.label_weights import is_positive, is_trained
from learners.model_inputs import NUMPY, UserInputs, lay_out, lay_out_user, network_inputs
from learners.online_scaling import STATISTICS as SCALING_STATISTICS
from learners.online_scaling import batch_statistics, scaling_of
from learners.pulled_rows import PulledRows, RowGradientSums
from learners.ranking_model import input_layout, score
from learners.ranking_targets import RankingTargets, ranking_targets
from learners.retrieval_model import user_vector
from learners.step_result import NonFiniteLossError, StepResult
from learners.text_weights import DOCUMENT_COUNTS
from learners.training_plan import SlotPlan, plan_rows
from learners.training_settings import TrainingSettings
from learners.validation_segments import segments_of
from learners.watch_time import expected_seconds, watched_seconds
from messages.arrays import AnyArray, FloatArray, IdArray, IntArray
from messages.examples import HEAD_INDEX, HEADS, OUTPUTS, WATCH_TIME, ExampleBatch, JoinedExamples
from messages.identifiers import MISSING_KEY
from messages.updates import CounterRows, PullRequest, RowGradients, Rows

torch.set_num_threads(1)

_STATISTICS = (*SCALING_STATISTICS, DOCUMENT_COUNTS)
_LOG_TERMINALS = COUNTER_FEATURES.index("log_terminals")
_EXCLUDED = np.float32(-1e9)


@dataclass(frozen=True, slots=True)
class _Gradients:
    """Of the summed loss. rows: per slot, float32 [m, d], in the order of the plan. dense: by name."""

    rows: dict[str, FloatArray]
    dense: dict[str, FloatArray]


class TrainingStep:
    """Loss and gradients of one batch; holds no weights and changes none.

    The loss is summed over rows for embedding rows, so that a content seen once moves as far in a batch of 10
    as in one of 1,000, and averaged over rows for dense weights, which every row moves.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._settings = settings
        self._layout = input_layout(settings.model)
        self._output_weights = np.array(
            [settings.head_weights.get(head, 0.0) for head in OUTPUTS], dtype=np.float32
        )
        self._planned: tuple[ExampleBatch, dict[str, SlotPlan]] | None = None

    def pull_request(self, batch: ExampleBatch, group: str) -> PullRequest:
        """Name what this batch reads: unique ids per slot, all dense weights, and content counters only where
        the features came without."""
        joined = batch.joined
        counter_ids = None
        if joined is not None and joined.features.counters is None:
            counter_ids = np.unique(joined.features.ids["content"])
        ids = {slot: plan.ids for slot, plan in self._plan_of(batch).items()}
        return PullRequest(group, ids, dense_newer_than=-1, counter_ids=counter_ids)

    def run(
        self,
        batch: ExampleBatch,
        values: Mapping[str, FloatArray],
        dense: Mapping[str, FloatArray],
        counters: CounterRows | None,
    ) -> StepResult:
        """Score the joined rows, then compute what they teach.

        values, counters: what `pull_request` named, in its order. Raises NonFiniteLossError.
        """
        model, joined, document_counts = self._settings.model, batch.joined, dense.get(DOCUMENT_COUNTS)
        births: dict[str, Rows] = {}
        if batch.uploads is not None:
            births = birth_rows(batch.uploads, model, document_counts)
        of_texts = {} if document_counts is None else text_statistics(batch)
        if joined is None or len(joined) == 0:
            empty = np.empty((0, len(HEADS)), dtype=np.float32)
            nothing = empty.astype(np.bool_)
            return StepResult(
                {}, births, {}, empty, 0.0, nothing, nothing, empty[:, 0], empty[:, 0], {}, of_texts
            )
        plan = self._plan_of(batch)
        features = joined.features
        counter_block = counter_block_of(features, counters, batch.times[joined.rows])
        weights = {name: _leaf(weight) for name, weight in dense.items() if name not in _STATISTICS}
        embedding = PulledRows(plan, values, features)
        scaling = scaling_of(dense)
        numbers = (features.dense, counter_block)
        scaled = numbers if scaling is None else scaling.apply(*numbers)
        laid_out = lay_out(*scaled, embedding, self._layout, NUMPY)
        shared, own = _leaf(laid_out.shared), _leaf(laid_out.own)
        logits = score(weights, network_inputs(shared, own, self._layout), _TORCH)
        probabilities: FloatArray = torch.sigmoid(logits.detach()).numpy()
        watched = watched_seconds(joined)
        taught = ranking_targets(
            joined, watched, probabilities, self._output_weights, self._settings.skip_keep_rate
        )
        loss = _ranking_loss(logits, taught)
        engaged = np.flatnonzero(
            is_positive(joined.labels[:, HEAD_INDEX["engage"]]) & (features.ids["content"] != MISSING_KEY)
        )
        towers: _Towers | None = None
        if len(engaged) > 1 and self._settings.retrieval_weight > 0:
            towers = _Towers(embedding, engaged)
            retrieval_loss = self._retrieval_loss(
                user_vector(weights, towers.person, _TORCH),
                towers.contents,
                features.ids["content"][engaged],
                counter_block[engaged, _LOG_TERMINALS] * LOG_COUNT_SCALE,
            )
            loss = loss + self._settings.retrieval_weight * retrieval_loss
        loss.backward()  # type: ignore[no-untyped-call]
        sums = RowGradientSums(plan, features, self._layout.dimensions)
        sums.add_inputs(_gradient(shared), _gradient(own), self._layout)
        if towers is not None:
            towers.add_gradients(sums)
        if joined.comment_words is not None and self._settings.comment_weight > 0:
            contents = embedding.rows(RETRIEVAL_SLOT, ("content",))
            commented, pull = comment_gradients(joined.comment_words, contents, model, document_counts)
            weight = np.float32(self._settings.comment_weight)
            sums.add_rows(RETRIEVAL_SLOT, "content", weight * pull, commented)
        gradients = _Gradients(sums.sums(), {name: _gradient(weight) for name, weight in weights.items()})
        result = self._result(plan, gradients, births, joined, probabilities, watched, float(loss.detach()))
        return replace(result, statistics=batch_statistics(dense, *numbers) | of_texts)

    def _retrieval_loss(
        self, people: torch.Tensor, contents: torch.Tensor, keys: IdArray, popularity: FloatArray
    ) -> torch.Tensor:
        """Softmax over the batch's engaged contents, summed over the e rows.

        Popular contents are drawn as negatives more often, so log Q of the content is taken off each logit
        (Yi et al., RecSys 2019); Q is its share of all watchings, whose constant cancels. Where a row's own
        content appears again, that is no negative.
        """
        same = keys[:, None] == keys
        np.fill_diagonal(same, False)
        offsets = np.where(same, _EXCLUDED, -popularity)
        logits = people @ contents.T * self._settings.retrieval_scale + _tensor(offsets)
        return functional.cross_entropy(logits, torch.arange(len(keys)), reduction="sum")

    def _result(
        self,
        plan: Mapping[str, SlotPlan],
        gradients: _Gradients,
        births: dict[str, Rows],
        joined: JoinedExamples,
        probabilities: FloatArray,
        watched: FloatArray,
        loss: float,
    ) -> StepResult:
        """Clip, check and put together what `run` returns."""
        num_rows = len(joined)
        dense = {name: gradient / np.float32(num_rows) for name, gradient in gradients.dense.items()}
        norm = norm_of(dense.values())
        if not np.isfinite([loss, norm, norm_of(gradients.rows.values())]).all():
            raise NonFiniteLossError(f"loss {loss}, gradient norm {norm} in a batch of {num_rows} rows")
        shrink = np.float32(min(1.0, self._settings.dense_gradient_clip / max(norm, 1e-12)))
        return StepResult(
            rows={
                slot: RowGradients(
                    slot_plan.ids,
                    clipped_rows(gradients.rows[slot], self._settings.row_gradient_clip),
                    slot_plan.counts,
                )
                for slot, slot_plan in plan.items()
            },
            births=births,
            dense={name: gradient * shrink for name, gradient in dense.items()},
            probabilities=probabilities[:, : len(HEADS)],
            loss=loss / num_rows,
            trained=is_trained(joined.labels),
            targets=is_positive(joined.labels),
            expected_seconds=expected_seconds(probabilities[:, OUTPUTS.index(WATCH_TIME)]),
            watched_seconds=watched,
            segments=segments_of(joined.features),
        )

    def _plan_of(self, batch: ExampleBatch) -> dict[str, SlotPlan]:
        if self._planned is None or self._planned[0] is not batch:
            self._planned = (batch, {} if batch.joined is None else plan_rows(batch.joined.features))
        return self._planned[1]


def _ranking_loss(logits: torch.Tensor, taught: RankingTargets) -> torch.Tensor:
    """Weighted cross-entropy, summed over rows and outputs."""
    return functional.binary_cross_entropy_with_logits(
        logits + _tensor(taught.offsets), _tensor(taught.targets), _tensor(taught.weights), reduction="sum"
    )


class _TorchOperations:
    def concatenate(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(parts), dim=1)

    def added(self, values: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
        return values + more

    def rectified(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(values)


_TORCH = _TorchOperations()


class _Towers:
    """What retrieval reads of the e engaged rows. person: the user tower's inputs. contents: [e, R + 1]."""

    def __init__(self, embedding: PulledRows, engaged: IntArray) -> None:
        inputs = lay_out_user(embedding, NUMPY)
        self._engaged = engaged
        self.person = UserInputs(_leaf(inputs.history[engaged]), _leaf(inputs.shared[engaged]))
        self.contents = _leaf(embedding.rows(RETRIEVAL_SLOT, ("content",))[engaged])

    def add_gradients(self, sums: RowGradientSums) -> None:
        sums.add_user_inputs(_gradient(self.person.history), _gradient(self.person.shared), self._engaged)
        sums.add_rows(RETRIEVAL_SLOT, "content", _gradient(self.contents), self._engaged)


def _leaf(array: FloatArray) -> torch.Tensor:
    """Return a tensor that `backward` leaves a gradient at."""
    return _tensor(array).requires_grad_()


def _tensor(array: AnyArray) -> torch.Tensor:
    """Share an array's memory with torch; arrays from the wire are read-only and are copied."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _gradient(tensor: torch.Tensor) -> FloatArray:
    """Return what `backward` left, zeros where the loss does not depend on it."""
    if tensor.grad is None:
        return np.zeros(tuple(tensor.shape), dtype=np.float32)
    gradient: FloatArray = tensor.grad.numpy()
    return gradient
