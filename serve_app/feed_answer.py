"""The answer to a feed request, as it goes over the wire."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.watch_time import expected_seconds
from messages.examples import OUTPUTS, WATCH_TIME
from messages.identifiers import partition_of
from messages.updates import Position
from serve_app.explanations import reasons_of, shortness_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_pipeline import Consideration, RankedSlate
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.slate_explanation import SlateExplanation
from serve_app.pipeline.stage_trace import StageTrace
from serve_app.pipeline.top_score_selector import by_falling_score


def feed_answer(
    request: RankingRequest,
    request_id: str,
    slate: RankedSlate,
    replica: ModelReplica,
    *,
    num_partitions: int,
    explain: bool,
) -> dict[str, Any]:
    """Lay out items, the model's version and its freshness. Made before any await, so all of one version."""
    version = replica.version
    partition = partition_of(request.user_id, num_partitions)
    position = replica.positions.get(partition, Position())
    exhausted = len(slate) < request.limit
    answer: dict[str, Any] = {
        "request_id": request_id,
        "user_id": request.user_id,
        "items": _items(slate, replica, explain),
        "model": {"id": replica.model_id, "version": None if version is None else str(version)},
        "watermark": {
            "time": position.watermark,
            "partition": partition,
            "position": position.feed,
        },
        "freshness_ms": None if version is None else round(max(0.0, request.now - replica.as_of) * 1_000, 1),
        "exhausted": exhausted,
    }
    if exhausted:
        num_contents = len(replica.state.contents)
        answer["exhausted_reason"] = shortness_of(num_contents, slate.trace.num_proposed, slate.trace.removed)
    if explain:
        answer["stages"] = _stages(slate.trace)
        answer["failed_sources"] = dict(slate.trace.failures)
    return answer


def _items(slate: RankedSlate, replica: ModelReplica, explain: bool) -> list[dict[str, Any]]:
    scored = slate.scored
    if scored is None:
        return []
    explored = slate.explored.tolist()
    reasons = reasons_of(slate.sources, scored.candidates.anchors, explored, replica)
    contents = scored.contents
    items: list[dict[str, Any]] = [
        {
            "content_id": content_id,
            "creator_id": creator_id,
            "category": category,
            "score": _number(score),
            "source": source,
            "reason": reason,
        }
        for content_id, creator_id, category, score, source, reason in zip(
            contents.content_ids,
            contents.creator_ids,
            contents.categories,
            scored.scores.tolist(),
            slate.sources,
            reasons,
            strict=True,
        )
    ]
    if explain:
        for item, heads, propensity, was_explored, retrieval_score in zip(
            items,
            scored.probabilities.tolist(),
            slate.propensities.tolist(),
            explored,
            scored.candidates.retrieval_scores.tolist(),
            strict=True,
        ):
            item["heads"] = {head: _number(value) for head, value in zip(OUTPUTS, heads, strict=True)}
            item["watch_seconds"] = _watch_seconds(heads)
            item["propensity"] = _number(propensity)
            item["explored"] = was_explored
            item["retrieval_score"] = _number(retrieval_score)
        if slate.explanation is not None:
            _explain(items, slate.explanation)
    return items


def _explain(items: list[dict[str, Any]], explanation: SlateExplanation) -> None:
    """Add what each signal and each later scorer gave to the score, and the places the stages gave.

    Places count from 1; `moved_by_diversity` is how far the selector brought a content up (positive) or down.
    """
    for row, item in enumerate(items):
        item["signals"] = {name: _number(values[row]) for name, values in explanation.signals.items()}
        item["adjustments"] = {name: _number(values[row]) for name, values in explanation.adjustments.items()}
        by_score = int(explanation.places_by_score[row])
        by_selector = int(explanation.places_by_selector[row])
        item["places"] = {
            "by_score": by_score + 1,
            "by_selector": None if by_selector < 0 else by_selector + 1,
            "shown": row + 1,
        }
        item["moved_by_diversity"] = 0 if by_selector < 0 else by_score - by_selector


def about_content(
    content_id: str, considered: Consideration | None, slate: RankedSlate, *, limit: int
) -> dict[str, Any]:
    """Say how one content scores for this person now, and why it is or is not in the slate.

    considered: None for a content that this replica does not know. One that was scored with the others and is
    not shown has a `place_by_score` among them, from 1; of how many `why` says.
    """
    if considered is None:
        return {"content_id": content_id, "in_slate": False, "why": "no such content is being served"}
    served = [] if slate.scored is None else slate.scored.contents.content_ids
    scored, in_slate = considered.scored, content_id in served
    heads = scored.probabilities[0].tolist()
    place = None
    if in_slate:
        why = f"proposed by {', '.join(considered.proposed_by)}"
    elif considered.removed_by is not None:
        why = f"removed by the filter {considered.removed_by}"
    elif not considered.proposed_by:
        why = "no source proposed it"
    else:
        why = f"it did not come among the first {limit}"
        place, num_scored = _place_by_score(int(scored.candidates.rows[0]), slate.considered)
        if place is not None:
            why += f": by score it is number {place} of {num_scored}"
    answer = {
        "content_id": content_id,
        "in_slate": in_slate,
        "why": why,
        "score": _number(float(scored.scores[0])),
        "heads": {head: _number(value) for head, value in zip(OUTPUTS, heads, strict=True)},
        "watch_seconds": _watch_seconds(heads),
    }
    return answer if place is None else answer | {"place_by_score": place}


def _place_by_score(row: int, considered: ScoredCandidates | None) -> tuple[int | None, int]:
    """Return the place of a content among all that were scored, from 1, and how many these are; None where it
    is not among them, as when a filter took it out for the sake of another one."""
    if considered is None:
        return None, 0
    order = by_falling_score(considered.scores)
    places = np.flatnonzero(considered.candidates.rows[order] == row)
    return (int(places[0]) + 1 if len(places) else None), len(order)


def _stages(trace: StageTrace) -> list[dict[str, Any]]:
    return [
        {
            "kind": record.kind,
            "stage": record.name,
            "milliseconds": round(record.seconds * 1_000, 3),
            "in": record.num_in,
            "out": record.num_out,
        }
        for record in trace.records
    ]


def _watch_seconds(heads: list[float]) -> float | None:
    """Return the expected seconds of watching. heads: one value per output."""
    share = np.array([heads[OUTPUTS.index(WATCH_TIME)]], dtype=np.float32)
    return _number(float(expected_seconds(share)[0]))


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return round(value, 6) if math.isfinite(value) else None
