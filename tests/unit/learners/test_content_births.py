import numpy as np
import pytest

from learners.content_births import birth_rows, projections
from learners.features.schema import CONTENT_SLOT, RETRIEVAL_SLOT
from learners.ranking_model import RankingModelSettings
from messages.codec import pack, unpack
from messages.content import ContentFacts
from messages.events import ContentMetadata
from messages.identifiers import MISSING_KEY, key_of, keys_of
from messages.updates import Rows
from messages.uploads import Uploads

SETTINGS = RankingModelSettings()


def upload(
    name: str, category: str = "", tags: tuple[str, ...] = (), text: str = "", creator: str = ""
) -> ContentFacts:
    return ContentFacts(name, creator, 1.0, ContentMetadata(category=category, tags=tags, description=text))


def born(*contents: ContentFacts) -> Rows:
    return birth_rows(Uploads.of(contents), SETTINGS)[RETRIEVAL_SLOT]


def cosine(rows: Rows, first: int, second: int) -> float:
    return float(rows.values[first] @ rows.values[second] / SETTINGS.retrieval_birth_norm**2)


def test_contents_of_a_kind_are_born_near_each_other() -> None:
    rows = born(
        upload("a", "music", ("guitar", "live"), "a song in the park", "ann"),
        upload("b", "music", ("guitar",), "a song at home", "bob"),
        upload("c", "chess", ("endgame",), "rook against pawn", "zoe"),
    )
    assert cosine(rows, 0, 1) > 0.5
    assert abs(cosine(rows, 0, 2)) < 0.4


def test_rows_have_one_length_and_no_bias() -> None:
    births = birth_rows(Uploads.of([upload("a", "music"), upload("b", "chess", ("x",))]), SETTINGS)
    for slot, norm in (
        (RETRIEVAL_SLOT, SETTINGS.retrieval_birth_norm),
        (CONTENT_SLOT, SETTINGS.content_birth_norm),
    ):
        np.testing.assert_allclose(np.linalg.norm(births[slot].values, axis=1), norm, rtol=1e-5)
        assert (births[slot].values[:, -1] == 0).all()
        assert births[slot].values.dtype == np.float32
    assert births[RETRIEVAL_SLOT].values.shape == (2, SETTINGS.retrieval_dimension + 1)
    assert births[CONTENT_SLOT].values.shape == (2, SETTINGS.content_dimension + 1)


def test_a_birth_is_a_function_of_the_upload_alone() -> None:
    contents = [upload("a", "music", ("x",)), upload("b", "chess", ("y", "z"), "some words")]
    together, alone = born(*contents), born(contents[1])
    np.testing.assert_array_equal(together.values[1:], alone.values)
    assert together.ids.tolist() == [key_of("a"), key_of("b")]


def test_of_a_content_uploaded_twice_the_last_counts() -> None:
    twice = born(upload("a", "music"), upload("b", "art"), upload("a", "chess"))
    assert twice.ids.tolist() == [key_of("b"), key_of("a")]
    np.testing.assert_array_equal(twice.values[1], born(upload("a", "chess")).values[0])


def test_a_content_of_which_nothing_is_known_keeps_its_initial_row() -> None:
    rows = born(upload("a"), upload("b", "music"))
    assert rows.ids.tolist() == [key_of("b")]


def test_projections_are_nearly_orthogonal_and_about_one_long() -> None:
    directions = projections(keys_of(f"word{number}" for number in range(300)), 32)
    assert np.linalg.norm(directions, axis=1).mean() == pytest.approx(1, abs=0.05)
    between = directions @ directions.T
    assert np.abs(between[~np.eye(300, dtype=bool)]).mean() < 0.2
    assert (projections(np.array([MISSING_KEY], np.uint64), 32) == 0).all()


def seen(name: str, vector: np.ndarray) -> ContentFacts:
    return ContentFacts(name, "", 1.0, ContentMetadata(visual_features=tuple(vector.tolist())))


def test_contents_that_look_alike_are_born_near_each_other() -> None:
    draws = np.random.default_rng(3)
    look, other = draws.standard_normal((2, 512))
    rows = born(seen("a", look), seen("b", 7 * (look + 0.3 * draws.standard_normal(512))), seen("c", other))
    assert cosine(rows, 0, 1) > 0.8
    assert abs(cosine(rows, 0, 2)) < 0.5


def heard(name: str, vector: np.ndarray) -> ContentFacts:
    return ContentFacts(name, "", 1.0, ContentMetadata(audio_features=tuple(vector.tolist())))


def test_contents_that_sound_alike_are_born_near_each_other_and_not_near_those_that_look_so() -> None:
    draws = np.random.default_rng(4)
    sound, other = draws.standard_normal((2, 80))
    rows = born(heard("a", sound), heard("b", 2 * sound), heard("c", other), seen("d", sound))
    assert cosine(rows, 0, 1) > 0.99
    assert abs(cosine(rows, 0, 2)) < 0.5
    assert abs(cosine(rows, 0, 3)) < 0.5


def test_a_vector_of_zeros_says_nothing() -> None:
    births = born(seen("a", np.zeros(8)), upload("b", "music"))
    assert births.ids.tolist() == [key_of("b")]


def test_visual_vectors_survive_the_wire_and_may_be_missing_there() -> None:
    uploads = Uploads.of([seen("a", np.arange(3.0)), upload("b", "music")])
    wire = unpack(pack(uploads.to_wire()))
    again = Uploads.concatenate([Uploads.from_wire(wire)] * 2)
    assert [vector.tolist() for vector in again.visual] == [[0.0, 1.0, 2.0], [], [0.0, 1.0, 2.0], []]
    del wire["visual"], wire["audio"]
    assert [len(vector) for vector in Uploads.from_wire(wire).visual] == [0, 0]
    assert [len(vector) for vector in Uploads.from_wire(wire).audio] == [0, 0]
