"""Comments draw a content's retrieval row towards their words, by what the words say."""

from __future__ import annotations

import dataclasses

import numpy as np

from learners.comment_texts import comment_gradients, text_statistics
from learners.content_births import birth_rows
from learners.features.schema import RETRIEVAL_SLOT
from learners.text_weights import DOCUMENT_COUNTS, initial_document_counts
from learners.training_step import TrainingStep
from messages.arrays import FloatArray
from messages.content import ContentFacts, words_of
from messages.events import ContentMetadata
from messages.examples import ExampleBatch
from messages.features import IdBags
from messages.identifiers import keys_of
from messages.uploads import Uploads
from tests.training_batches import DENSE, LAYOUT, MODEL, SETTINGS, batch_of, rows_of, run

WIDTH = LAYOUT.dimensions[RETRIEVAL_SLOT]


def bags(*texts: str) -> IdBags:
    return IdBags.of([keys_of(words_of(text)) for text in texts])


def place_of(description: str) -> FloatArray:
    """Where a content of this description, and of nothing else, is born."""
    uploads = Uploads.of([ContentFacts("c", "", 1.0, ContentMetadata(description=description))])
    return birth_rows(uploads, MODEL)[RETRIEVAL_SLOT].values[0]


def commented(*texts: str) -> ExampleBatch:
    batch = batch_of([(1, number) for number in range(len(texts))], [True] * len(texts))
    assert batch.joined is not None
    return dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, comment_words=bags(*texts)))


def test_the_gradient_is_that_of_half_the_squared_distance_to_where_the_words_are_born() -> None:
    rows = rows_of(RETRIEVAL_SLOT, keys_of(["c1", "c2", "c3"]))

    placed, gradients = comment_gradients(bags("a chess endgame", "", "chess"), rows, MODEL, None)

    assert placed.tolist() == [0, 2], "no words, no pull"
    np.testing.assert_allclose(
        gradients[:, :-1],
        rows[placed, :-1] - np.stack([place_of("a chess endgame"), place_of("chess")])[:, :-1],
        atol=1e-6,
    )
    assert (gradients[:, -1] == 0).all(), "words say nothing of popularity"


def test_a_batch_learns_its_comments_beside_everything_else() -> None:
    batch = commented("chess", "")
    assert batch.joined is not None
    plain = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, comment_words=None))

    with_words, without = run(batch).rows[RETRIEVAL_SLOT], run(plain).rows[RETRIEVAL_SLOT]

    place = int(np.flatnonzero(with_words.ids == keys_of(["c0"])[0])[0])
    pulled = with_words.gradients - without.gradients
    expected = SETTINGS.comment_weight * (
        rows_of(RETRIEVAL_SLOT, keys_of(["c0"]))[0, :-1] - place_of("chess")[:-1]
    )
    np.testing.assert_allclose(pulled[place, :-1], expected, atol=1e-6)
    np.testing.assert_allclose(np.delete(pulled, place, axis=0), 0, atol=1e-6)


def test_contents_of_which_people_say_the_same_come_nearer_to_each_other() -> None:
    rows = rows_of(RETRIEVAL_SLOT, keys_of(["c0", "c1"]))
    near = bags("what a fine endgame", "what an endgame")
    before = float(rows[0, :-1] @ rows[1, :-1])
    for _ in range(20):
        placed, gradients = comment_gradients(near, rows, MODEL, None)
        rows[placed] -= np.float32(0.1) * gradients
    assert float(rows[0, :-1] @ rows[1, :-1]) > before


def test_words_of_descriptions_and_comments_are_counted_together() -> None:
    uploads = Uploads.of([ContentFacts("c9", "", 1.0, ContentMetadata(description="the cat"))])
    batch = dataclasses.replace(commented("the dog", ""), uploads=uploads)

    counted = text_statistics(batch)[DOCUMENT_COUNTS]

    assert counted[0, 0] == 2
    assert counted[0, 1:].sum() == 4
    assert text_statistics(ExampleBatch.empty()) == {}


def test_a_learner_counts_the_words_of_comments() -> None:
    dense = DENSE | {DOCUMENT_COUNTS: initial_document_counts()[DOCUMENT_COUNTS]}
    batch = commented("the dog", "a dog")
    step = TrainingStep(SETTINGS)
    ids = step.pull_request(batch, "m").ids
    values = {slot: rows_of(slot, keys) for slot, keys in ids.items()}

    assert step.run(batch, values, dense, None).statistics[DOCUMENT_COUNTS][0, 0] == 2
