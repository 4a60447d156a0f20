"""Metrics of predictions and of ranked lists. Where scikit-learn has one, it is scikit-learn's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, log_loss, ndcg_score, roc_auc_score

from messages.arrays import BoolArray, DoubleArray, IntArray


def pair_metrics(
    labels: BoolArray, scores: DoubleArray, probabilities: DoubleArray | None
) -> dict[str, float | None]:
    """Return auc and log_loss of n pairs of a person and a content.

    scores order them; probabilities in [0, 1] or None where a model gives none, whose log loss then is None.
    None too where all labels are the same.
    """
    if labels.all() or not labels.any():
        return {"auc": None, "log_loss": None}
    loss = None
    if probabilities is not None:
        loss = float(log_loss(labels, np.clip(probabilities, 1e-6, 1 - 1e-6), labels=[False, True]))
    return {"auc": float(roc_auc_score(labels, scores)), "log_loss": loss}


def list_metrics(relevant: BoolArray, scores: DoubleArray, k: int) -> dict[str, float]:
    """Return the metrics of one person's ranking of n candidates, of which at least one is relevant.

    precision, recall, ndcg: at k; precision divides by k. map: average precision over the whole list, ties as
    scikit-learn breaks them. mrr: 1 / place of the first relevant one. Candidates with the same score stand
    in the order of their index in all but map and ndcg.
    """
    order = np.argsort(-scores, kind="stable")
    hits = relevant[order]
    first = int(np.argmax(hits))
    return {
        f"precision@{k}": float(hits[:k].sum() / k),
        f"recall@{k}": float(hits[:k].sum() / relevant.sum()),
        f"ndcg@{k}": float(ndcg_score(relevant[None, :].astype(float), scores[None, :], k=k))
        if len(relevant) > 1
        else 1.0,
        "map": float(average_precision_score(relevant, scores)),
        "mrr": 1.0 / (first + 1),
    }


def catalogue_metrics(
    lists: Sequence[IntArray],
    num_contents: int,
    viewers: DoubleArray,
    num_people: int,
    tags: Sequence[set[str]],
) -> dict[str, float]:
    """Return coverage, novelty and diversity of top lists of content numbers.

    coverage: share of the catalogue in any list. novelty: mean of -log2 of the share of people who have met
    the content, with one more of each so that it is finite (Zhou et al., PNAS 2010). diversity: mean over
    lists of one less the Jaccard likeness of tags of two contents (Ziegler et al., WWW 2005).
    viewers: how many people met each content, float64 [contents].
    """
    shown = np.unique(np.concatenate(lists)) if lists else np.empty(0, dtype=np.int64)
    surprise = -np.log2((viewers + 1) / (num_people + 1))
    novelty = [float(surprise[chosen].mean()) for chosen in lists if len(chosen)]
    diversity = [value for chosen in lists if not math.isnan(value := _unlikeness(chosen, tags))]
    return {
        "coverage": len(shown) / num_contents if num_contents else float("nan"),
        "novelty": float(np.mean(novelty)) if novelty else float("nan"),
        "diversity": float(np.mean(diversity)) if diversity else float("nan"),
    }


def _unlikeness(chosen: IntArray, tags: Sequence[set[str]]) -> float:
    bags = [tags[content] for content in chosen.tolist()]
    values = []
    for place, first in enumerate(bags):
        for second in bags[place + 1 :]:
            union = len(first | second)
            values.append(1.0 - len(first & second) / union if union else 0.0)
    return float(np.mean(values)) if values else float("nan")


def mean_of(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Average metrics over people or folds; None where none has a value."""
    names = dict.fromkeys(name for row in rows for name in row)
    means: dict[str, float | None] = {}
    for name in names:
        values = [value for row in rows if (value := row.get(name)) is not None and math.isfinite(value)]
        means[name] = float(np.mean(values)) if values else None
    return means
