"""The first rows of a new content, from what its upload says: found by its kind before anybody has seen it.

Every category, tag, word, audio and creator, and every column of a visual or audio vector that came along,
has a fixed random direction, a function of its key alone; a content starts at the normalized sum of its own
(random projection: Johnson and Lindenstrauss, 1984, over a sparse bag): one embedding of all that is known of
it. So contents with much in common start near each other, and near the history of whoever likes their kind,
since a history is the mean of such rows. From there the gradients take over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.features.schema import CONTENT_SLOT, RETRIEVAL_SLOT
from learners.model_inputs import mean_pooled
from learners.ranking_model import RankingModelSettings, slot_dimensions
from learners.text_weights import word_weights
from messages.arrays import BoolArray, FloatArray, IdArray
from messages.features import IdBags
from messages.identifiers import MISSING_KEY, key_of, mix
from messages.updates import Rows
from messages.uploads import Uploads

_CATEGORY_WEIGHT = 1.0
_TAGS_WEIGHT = 1.0
_TEXT_WEIGHT = 0.5
_CREATOR_WEIGHT = 0.5
_AUDIO_WEIGHT = 0.25
_VISUAL_WEIGHT = 1.0
_SOUND_WEIGHT = 0.5

_VISUAL_KEYS = np.uint64(key_of("visual features of a content"))
_SOUND_KEYS = np.uint64(key_of("audio features of a content"))
"""Keep the directions of columns apart from those of ids, and of each other."""


def birth_rows(
    uploads: Uploads, settings: RankingModelSettings, document_counts: FloatArray | None = None
) -> dict[str, Rows]:
    """Return rows for the retrieval and the content slot, biases 0; of a content uploaded twice the last.

    A content of which nothing is known gets none, and so keeps the initial row of its id. document_counts:
    as of before these uploads, by which words are weighed (`text_weights.py`); None weighs all alike.
    """
    dimensions = slot_dimensions(settings)
    scales = {RETRIEVAL_SLOT: settings.retrieval_birth_norm, CONTENT_SLOT: settings.content_birth_norm}
    keys = uploads.contents.content_keys
    _, newest = np.unique(keys[::-1], return_index=True)
    births = {}
    for slot, norm in scales.items():
        directions, known = _directions(uploads, dimensions[slot] - 1, document_counts)
        chosen = np.sort(len(keys) - 1 - newest)
        chosen = chosen[known[chosen] & (keys[chosen] != MISSING_KEY)]
        values = np.zeros((len(chosen), dimensions[slot]), dtype=np.float32)
        values[:, :-1] = directions[chosen] * np.float32(norm)
        births[slot] = Rows(keys[chosen], values)
    return births


def projections(keys: IdArray, dimension: int) -> FloatArray:
    """Return a fixed pseudo-random direction for each key, float32 [m, dimension], entries uniform in
    (-1, 1) divided to a length of about one; zeros for MISSING_KEY."""
    columns = mix(np.arange(1, dimension + 1, dtype=np.uint64))
    bits = mix(keys[:, None] ^ columns[None, :])
    uniform = (bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - 1
    uniform[keys == MISSING_KEY] = 0
    return uniform * np.float32(np.sqrt(3 / dimension))


def text_projections(words: IdBags, dimension: int, document_counts: FloatArray | None) -> FloatArray:
    """Return the mean direction of each text's words, float32 [n, dimension], weighed by what a word says
    (`text_weights.py`; all alike where there are no counts); zeros for a text without words."""
    directions = projections(words.values, dimension)
    if document_counts is None:
        return mean_pooled(directions, words)
    weights = word_weights(words, document_counts)[:, None]
    sums = mean_pooled(weights * directions, words)
    return (sums / np.maximum(mean_pooled(weights, words), 1e-6)).astype(np.float32)


def projected_vectors(
    vectors: Sequence[FloatArray], dimension: int, kind: np.uint64 = _VISUAL_KEYS
) -> FloatArray:
    """Return each vector scaled to length one and projected, float32 [n, dimension]; zeros for an empty one.

    A column's direction is a function of its number, so vectors of one extractor keep their angles whatever
    their length is; z-scoring them would need statistics that a birth must not depend on.
    """
    projected = np.zeros((len(vectors), dimension), dtype=np.float32)
    longest = max((len(vector) for vector in vectors), default=0)
    directions = projections(kind ^ np.arange(1, longest + 1, dtype=np.uint64), dimension)
    for row, vector in enumerate(vectors):
        norm = float(np.linalg.norm(vector)) if len(vector) else 0.0
        if 0 < norm < np.inf:
            projected[row] = (vector / np.float32(norm)) @ directions[: len(vector)]
    return projected


def _directions(
    uploads: Uploads, dimension: int, document_counts: FloatArray | None
) -> tuple[FloatArray, BoolArray]:
    """Return unit vectors, float32 [n, dimension], and where there was anything to make them of, bool [n]."""
    contents = uploads.contents

    sums = (
        _CATEGORY_WEIGHT * projections(contents.category_keys, dimension)
        + _TAGS_WEIGHT * mean_pooled(projections(contents.tags.values, dimension), contents.tags)
        + _TEXT_WEIGHT * text_projections(uploads.text_keys, dimension, document_counts)
        + _CREATOR_WEIGHT * projections(contents.creator_keys, dimension)
        + _AUDIO_WEIGHT * projections(contents.audio_keys, dimension)
        + _VISUAL_WEIGHT * projected_vectors(uploads.visual, dimension)
        + _SOUND_WEIGHT * projected_vectors(uploads.audio, dimension, _SOUND_KEYS)
    ).astype(np.float32)
    norms = np.linalg.norm(sums, axis=1)
    known = norms > 0
    return sums / np.where(known, norms, 1)[:, None].astype(np.float32), known
