import dataclasses

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from learners.content_births import birth_rows
from learners.features.schema import RETRIEVAL_SLOT
from learners.ranking_model import RankingModelSettings
from learners.text_weights import (
    DOCUMENT_COUNTS,
    document_statistics,
    initial_document_counts,
    word_weights,
)
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.content import ContentFacts, words_of
from messages.events import ContentMetadata
from messages.examples import ExampleBatch
from messages.features import IdBags
from messages.identifiers import keys_of
from messages.uploads import Uploads
from tests.training_batches import DENSE, MODEL

TEXTS = ["the cat and the dog", "the cat", "the bird of paradise", "", "the the the"]
SETTINGS = RankingModelSettings()


def bags(texts: list[str]) -> IdBags:
    return IdBags.of([keys_of(words_of(text)) for text in texts])


def uploads(*texts: str) -> Uploads:
    return Uploads.of(
        [
            ContentFacts(f"c{number}", "", 1.0, ContentMetadata(description=text))
            for number, text in enumerate(texts)
        ]
    )


def counts_of(texts: list[str]) -> np.ndarray:
    return initial_document_counts()[DOCUMENT_COUNTS] + document_statistics(bags(texts))[DOCUMENT_COUNTS]


def test_weights_are_inverse_document_frequencies() -> None:
    """As scikit-learn has them, of the descriptions that have words."""
    vocabulary = sorted({word for text in TEXTS for word in words_of(text)})
    table = np.array([[words_of(text).count(word) for word in vocabulary] for text in TEXTS if text])
    expected = TfidfTransformer().fit(table).idf_
    np.testing.assert_allclose(word_weights(bags(vocabulary), counts_of(TEXTS)), expected, rtol=1e-6)


def test_descriptions_may_be_counted_one_by_one() -> None:
    one_by_one = sum(document_statistics(bags([text]))[DOCUMENT_COUNTS] for text in TEXTS)
    np.testing.assert_array_equal(counts_of(TEXTS), one_by_one)


def test_all_words_weigh_alike_before_anything_is_counted() -> None:
    empty = initial_document_counts()[DOCUMENT_COUNTS]
    assert word_weights(bags(TEXTS), empty).tolist() == [1.0] * 14
    plain = birth_rows(uploads("the cat", "a dog"), SETTINGS)[RETRIEVAL_SLOT]
    weighed = birth_rows(uploads("the cat", "a dog"), SETTINGS, empty)[RETRIEVAL_SLOT]
    np.testing.assert_allclose(plain.values, weighed.values, rtol=1e-5)


def test_a_rare_word_says_more_than_one_that_stands_everywhere() -> None:
    counts = counts_of(["the house"] * 500 + ["the cat"])
    rows = birth_rows(uploads("the cat", "the house", "cat house"), SETTINGS, counts)[RETRIEVAL_SLOT].values
    assert rows[0] @ rows[2] > 1.2 * (rows[1] @ rows[2])


def test_a_learner_counts_uploads_and_weighs_them_by_what_came_before() -> None:
    step = TrainingStep(TrainingSettings(model=MODEL))
    batch = dataclasses.replace(ExampleBatch.empty(), uploads=uploads("the cat", "the house"))
    dense = DENSE | {DOCUMENT_COUNTS: counts_of(["the"] * 50)}
    result = step.run(batch, {}, dense, None)
    assert result.statistics[DOCUMENT_COUNTS][0, 0] == 2
    expected = birth_rows(uploads("the cat", "the house"), MODEL, dense[DOCUMENT_COUNTS])
    np.testing.assert_array_equal(result.births[RETRIEVAL_SLOT].values, expected[RETRIEVAL_SLOT].values)
    assert result.births[RETRIEVAL_SLOT].values[:, -1].tolist() == pytest.approx([0, 0])
