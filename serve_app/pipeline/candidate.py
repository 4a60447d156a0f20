"""Contents on their way through a ranking request, in columns; row i of every column is one content."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from learners import key_sets
from messages.arrays import AnyArray, BoolArray, ByteArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.updates import CounterRows


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one source puts forward, best first, each content once.

    rows: row numbers in the replica's content table, int64 [n]. scores: the source's own, on its own scale,
    float32 [n]. anchors: the key of the content or creator because of which each was proposed, uint64 [n],
    MISSING_KEY where there is none.
    """

    rows: IntArray
    scores: FloatArray
    anchors: IdArray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, rows: IntArray, scores: AnyArray | None = None, anchors: IdArray | None = None) -> Proposal:
        """Fill in zeros where a source has no scores or anchors."""
        return cls(
            rows,
            np.zeros(len(rows), dtype=np.float32)
            if scores is None
            else scores.astype(np.float32, copy=False),
            np.zeros(len(rows), dtype=np.uint64) if anchors is None else anchors,
        )


NO_PROPOSAL = Proposal.of(np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The proposals of all sources behind each other; a content may stand there once for each source.

    content_keys, creator_keys: uint64 [n]. source_codes: uint8 [n], which of the pipeline's sources.
    """

    rows: IntArray
    content_keys: IdArray
    creator_keys: IdArray
    source_codes: ByteArray
    retrieval_scores: FloatArray
    anchors: IdArray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: IntArray | BoolArray) -> Candidates:
        if which.dtype == np.bool_:
            which = np.flatnonzero(which)  # once, not for each column
        return Candidates(
            self.rows[which],
            self.content_keys[which],
            self.creator_keys[which],
            self.source_codes[which],
            self.retrieval_scores[which],
            self.anchors[which],
        )

    @classmethod
    def of(cls, proposals: Sequence[Proposal], content_keys: IdArray, creator_keys: IdArray) -> Candidates:
        """Stack proposals in the order of the sources. *_keys: of the content table, by row number."""
        parts = [NO_PROPOSAL, *proposals]
        rows = np.concatenate([part.rows for part in parts])
        codes, end = np.empty(len(rows), dtype=np.uint8), 0
        for code, part in enumerate(proposals):
            start, end = end, end + len(part)
            codes[start:end] = code
        return cls(
            rows=rows,
            content_keys=content_keys[rows],
            creator_keys=creator_keys[rows],
            source_codes=codes,
            retrieval_scores=np.concatenate([part.scores for part in parts]),
            anchors=np.concatenate([part.anchors for part in parts]),
        )


class CandidateFeatures(Protocol):
    """What a model computes of n candidates and scores them by."""

    def __len__(self) -> int: ...

    def take(self, rows: IntArray) -> Any:
        """Return some rows as an impression logs them, `ServedFeatures`: nothing scores these again."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredCandidates:
    """Candidates with their facts, counters and features, and what the scorers have said so far.

    contents: with names where they are shown, without among the candidates.
    probabilities: of each output, float32 [n, len(OUTPUTS)], the watch time's included, which is a share in
    [0, 1] though no probability. scores: float64 [n]. Both NaN until a scorer sets them; NaN afterwards means
    that the model has no answer, and such contents come last.
    """

    candidates: Candidates
    contents: ContentColumns
    counters: CounterRows
    features: CandidateFeatures
    probabilities: FloatArray
    scores: DoubleArray

    def __len__(self) -> int:
        return len(self.candidates)

    def with_scores(self, scores: DoubleArray) -> ScoredCandidates:
        """Return the same with other scores, float64 [n]."""
        return ScoredCandidates(
            self.candidates, self.contents, self.counters, self.features, self.probabilities, scores
        )

    def take(self, which: IntArray, contents: ContentColumns | None = None) -> ScoredCandidates:
        """Return some of them. contents: their facts where those are known better, by name."""
        return ScoredCandidates(
            self.candidates.take(which),
            self.contents.take(which) if contents is None else contents,
            self.counters.take(which),
            self.features.take(which),
            self.probabilities[which],
            self.scores[which],
        )


@dataclass(frozen=True, slots=True)
class Slate:
    """The chosen places, best first.

    order: int64 [k], positions in the scored candidates, each once. propensities: float32 [k], the
    probability with which the policy put this content at this place, given the candidates and the places
    before; NaN from a policy that draws nothing. explored: bool [k], put there by exploration.
    """

    order: IntArray
    propensities: FloatArray
    explored: BoolArray

    def __len__(self) -> int:
        return len(self.order)


def outside(keys: IdArray, unwanted: IdArray | Set[int]) -> BoolArray:
    """Say which keys are not among some others, bool [n]."""
    if not len(unwanted):
        return np.ones(len(keys), dtype=np.bool_)
    if isinstance(unwanted, Set):
        unwanted = np.fromiter(unwanted, dtype=np.uint64, count=len(unwanted))
    return key_sets.outside(keys, unwanted)
