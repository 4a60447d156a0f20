"""Many contents: lists learned aside, changed in place, as good as the exact search they stand for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.content_index import ContentIndex
from serve_app.index_keeper import IndexKeeper
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.probe_calibration import FOUND_TOP, TRUE_TOP, recall_of
from serve_app.serving_metrics import ServingMetrics
from tests.fakes import content, delta, empty_replica, replica_of

NONE = np.empty(0, dtype=np.int64)
SMALL = ContentIndexSettings(exact_up_to=4)


def rebuild_begun(index: ContentIndex, queries: np.ndarray | None = None):
    """Everything of a rebuild but its last step."""
    rebuild = index.begin_rebuild()
    rebuild.train(np.concatenate([vectors for _, vectors in index.copies(rebuild.sample_rows)]))
    for rows, vectors in index.copies(rebuild.rows):
        rebuild.add(rows, vectors)
    rebuild.calibrate(np.empty((0, index.dimension), np.float32) if queries is None else queries)
    return rebuild


def vectors_for(rows: list[int], value: int) -> np.ndarray:
    draws = np.random.default_rng(value)
    return draws.normal(size=(len(rows), 4)).astype(np.float32)


Changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "remove", "begin", "finish"]),
        st.sets(st.integers(0, 60), min_size=1, max_size=12),
        st.integers(0, 99),
    ),
    max_size=25,
)


@given(Changes, st.sets(st.integers(0, 70), max_size=10))
def test_any_history_of_changes_and_trainings_answers_as_exact_search_when_all_lists_are_probed(
    changes, excluded
) -> None:
    index, expected, begun = ContentIndex(4, SMALL), {}, None
    for kind, some, value in changes:
        rows = sorted(some)
        if kind == "put":
            vectors = vectors_for(rows, value)
            index.put(np.array(rows), vectors)
            expected |= dict(zip(rows, vectors, strict=True))
        elif kind == "remove":
            gone = [row for row in rows if row in expected]
            index.remove(np.array(gone, dtype=np.int64))
            for row in gone:
                del expected[row]
        elif kind == "begin" and begun is None and index.wants_rebuild:
            begun = rebuild_begun(index)
        elif kind == "finish" and begun is not None:
            list(index.finish_rebuild())
            begun = None

    left_out = np.array(sorted(excluded), dtype=np.int64)
    allowed = {row: vector for row, vector in expected.items() if row not in excluded}
    query = np.array([[1.0, -0.5, 0.25, 1.0]], dtype=np.float32)
    best = sorted((float(query[0] @ vector) for vector in allowed.values()), reverse=True)[:8]
    if index.inverted is not None:
        index.inverted.num_probes = index.inverted.num_lists
        assert len(index.inverted) == len(index) == len(expected)

    rows, products = index.search(query, 8, left_out)

    found = rows[0][rows[0] >= 0]
    assert set(found.tolist()) <= set(allowed)
    assert len(set(found.tolist())) == len(found) == len(best)
    assert products[0, : len(found)] == pytest.approx(best, abs=1e-5)


@pytest.fixture(scope="module")
def clustered() -> np.ndarray:
    """5,000 vectors of unlike lengths in 40 clusters, with a bias at their end."""
    draws = np.random.default_rng(5)
    centres = draws.normal(size=(40, 16))
    vectors = centres[draws.integers(40, size=5_000)] + 0.4 * draws.normal(size=(5_000, 16))
    vectors *= draws.gamma(6, 1 / 6, size=(5_000, 1))
    return np.concatenate([vectors, draws.normal(size=(5_000, 1))], axis=1).astype(np.float32)


def queries_like(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    queries = vectors[np.random.default_rng(seed).integers(len(vectors), size=count)].copy()
    queries[:, -1] = 1.0
    return queries


def test_lists_are_probed_until_recall_is_reached_and_it_holds_for_other_queries(clustered) -> None:
    settings = ContentIndexSettings(exact_up_to=1_000, min_recall=0.98)
    index = ContentIndex(clustered.shape[1], settings)
    index.put(np.arange(len(clustered)), clustered)
    rebuild_begun(index, queries_like(clustered, 48, seed=1))
    list(index.finish_rebuild())

    queries = queries_like(clustered, 100, seed=2)
    true, _ = index.search_exact(queries, TRUE_TOP, NONE)
    found, _ = index.search(queries, FOUND_TOP, NONE)

    assert index.inverted is not None
    assert index.inverted.num_probes < index.inverted.num_lists
    assert recall_of(true, found) >= 0.96


def test_what_is_like_a_content_is_found_in_fewer_lists(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=1_000, min_recall=0.98))
    index.put(np.arange(len(clustered)), clustered)
    people = np.random.default_rng(3).normal(size=(48, clustered.shape[1])).astype(np.float32)
    rebuild = rebuild_begun(index)
    rebuild.calibrate(people, queries_like(clustered, 48, seed=1))
    list(index.finish_rebuild())

    anchors = queries_like(clustered, 100, seed=2)
    true, _ = index.search_exact(anchors, TRUE_TOP, NONE)
    found, _ = index.search_alike(anchors, FOUND_TOP, NONE)

    assert index.inverted is not None
    assert index.inverted.num_probes_alike < index.inverted.num_probes
    assert recall_of(true, found) >= 0.96


def carried_away(vectors: np.ndarray, share: float) -> np.ndarray:
    """The first of some vectors as learning leaves them: moved together, to where no list is."""
    moved = vectors[: int(share * len(vectors))].copy()
    moved[:, 0] += 10.0
    return moved


def test_what_learning_carried_away_from_all_lists_is_found_by_few_probes(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=1_000))
    index.put(np.arange(len(clustered)), clustered)
    rebuild_begun(index)
    list(index.finish_rebuild())
    moved = carried_away(clustered, 0.1)
    index.put(np.arange(len(moved)), moved)

    assert index.inverted is not None
    index.inverted.num_probes = 1
    queries = queries_like(moved, 50, seed=4)
    true, _ = index.search_exact(queries, TRUE_TOP, NONE)
    found, _ = index.search(queries, TRUE_TOP, NONE)

    assert recall_of(true, found) >= 0.95
    assert not index.wants_rebuild


def test_lists_are_learned_anew_when_many_contents_have_moved_away_from_them(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=1_000, max_outliers=0.2))
    index.put(np.arange(len(clustered)), clustered)
    rebuild_begun(index)
    list(index.finish_rebuild())
    assert not index.wants_rebuild

    moved = carried_away(clustered, 0.25)
    index.put(np.arange(len(moved)), moved)
    assert index.wants_rebuild

    rebuild_begun(index)
    list(index.finish_rebuild())
    assert not index.wants_rebuild


def test_contents_that_are_all_the_same_are_no_outliers() -> None:
    index = ContentIndex(9, ContentIndexSettings(exact_up_to=10))
    few = np.random.default_rng(1).normal(size=(5, 9)).astype(np.float32)
    index.put(np.arange(2_000), few[np.arange(2_000) % 5])
    rebuild_begun(index)
    list(index.finish_rebuild())

    assert index.inverted is not None
    assert index.inverted.num_outliers == 0
    assert not index.wants_rebuild


def test_changes_during_a_training_are_in_the_lists_at_its_end(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=100))
    index.put(np.arange(1_000), clustered[:1_000])
    rebuild_begun(index)
    index.put(np.array([3, 1_500]), 100 * clustered[[3, 4]])
    index.remove(np.array([7]))
    assert max(index.finish_rebuild()) <= 256

    assert index.inverted is not None
    assert len(index.inverted) == len(index) == 1_000
    assert index.search(clustered[[3]], 1, NONE)[0].tolist() == [[3]]
    assert index.search(clustered[[4]], 1, NONE)[0].tolist() == [[1_500]]


def test_an_answer_that_the_probed_lists_cannot_fill_is_filled_by_exact_search(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=100))
    index.put(np.arange(1_000), clustered[:1_000])
    rebuild_begun(index)
    list(index.finish_rebuild())

    rows, _ = index.search(clustered[:1], 10, np.arange(980))

    assert sorted(rows[0, :10].tolist()) == sorted(set(range(980, 1_000)) & set(rows[0].tolist()))
    assert (rows[0] >= 980).all()


def test_twice_as_many_contents_want_new_lists_and_half_as_few_want_none(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=1_000))
    index.put(np.arange(1_001), clustered[:1_001])
    assert index.wants_rebuild
    rebuild_begun(index)
    assert not index.wants_rebuild
    list(index.finish_rebuild())
    assert not index.wants_rebuild

    index.put(np.arange(1_001, 2_100), clustered[1_001:2_100])
    assert index.wants_rebuild
    index.remove(np.arange(400, 2_100))
    assert index.inverted is None


def test_a_copy_of_everything_begins_with_the_lists_that_were_learned(clustered) -> None:
    index = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=100))
    index.put(np.arange(500), clustered[:500])
    rebuild_begun(index)
    list(index.finish_rebuild())

    copy = ContentIndex(clustered.shape[1], ContentIndexSettings(exact_up_to=100), like=index)
    copy.put(np.arange(500), clustered[:500])

    assert copy.inverted is not None
    assert len(copy.inverted) == 500
    assert not copy.wants_rebuild


def learned(vectors: np.ndarray, queries: np.ndarray | None = None) -> ContentIndex:
    """An index whose lists were learned, calibrated by these queries alone."""
    index = ContentIndex(vectors.shape[1], ContentIndexSettings(exact_up_to=1_000, min_recall=0.98))
    index.put(np.arange(len(vectors)), vectors)
    rebuild_begun(index, queries)
    list(index.finish_rebuild())
    assert index.inverted is not None
    return index


def replica_around(index: ContentIndex):
    return SimpleNamespace(state=SimpleNamespace(index=index))


def search_for(index: ContentIndex, queries: np.ndarray) -> None:
    for query in queries:
        index.search(query[np.newaxis], 10, NONE)


def recall_at(index: ContentIndex, queries: np.ndarray) -> float:
    true, _ = index.search_exact(queries, TRUE_TOP, NONE)
    found, _ = index.search(queries, FOUND_TOP, NONE)
    return recall_of(true, found)


class TestKeeper:
    @staticmethod
    def keeper(replica, metrics: ServingMetrics, steps: list[str]) -> IndexKeeper:
        async def aside(work, *arguments):
            steps.append(work.__name__)
            return work(*arguments)

        async def sleep(seconds: float) -> None:
            steps.append("request")

        return IndexKeeper(replica, metrics, aside=aside, sleep=sleep)

    def test_trains_aside_gives_way_between_steps_and_exports_recall(self) -> None:
        replica = empty_replica(SMALL)
        fill(replica, NAMES, apart(40))
        metrics, steps = ServingMetrics(), []
        replica.state.index.search(np.ones((1, 3), np.float32), 5, NONE)

        asyncio.run(self.keeper(replica, metrics, steps).tend())

        assert replica.state.index.inverted is not None
        assert [step for step in steps if step != "request"] == ["train", "add", "calibrate"]
        assert metrics.ann_recall._value.get() == 1.0
        assert metrics.index_lists._value.get() == replica.state.index.inverted.num_lists
        assert metrics.index_probes._value.get() == replica.state.index.inverted.num_probes

    def test_a_training_that_fails_leaves_search_as_it_was_and_is_tried_again(self) -> None:
        replica = empty_replica(SMALL)
        fill(replica, list("abcdef"), {})

        async def broken(work, *arguments):
            raise MemoryError

        with pytest.raises(MemoryError):
            asyncio.run(IndexKeeper(replica, ServingMetrics(), aside=broken).tend())

        assert replica.state.index.inverted is None
        assert replica.state.index.wants_rebuild

    def test_lists_learned_before_anybody_searched_are_calibrated_by_the_first_searches(
        self, clustered
    ) -> None:
        index, steps = learned(clustered), []
        keeper = self.keeper(replica_around(index), ServingMetrics(), steps)
        index.inverted.num_probes = 1
        queries = queries_like(clustered, 64, seed=1)
        search_for(index, queries[:8])
        asyncio.run(keeper.tend())
        assert index.inverted.num_probes == 1

        search_for(index, queries)
        asyncio.run(keeper.tend())

        assert index.inverted.num_calibrated_by == 32
        assert recall_at(index, queries_like(clustered, 100, seed=2)) >= 0.96
        assert steps.count("request") > 32
        assert not index.wants_calibration

    @pytest.mark.parametrize("probes", [1, 10_000])
    def test_the_number_of_lists_follows_what_is_searched_for_less_often_as_time_goes_by(
        self, clustered, probes
    ) -> None:
        queries = queries_like(clustered, 64, seed=1)
        index, steps = learned(clustered, queries), []
        keeper = self.keeper(replica_around(index), ServingMetrics(), steps)
        needed = index.inverted.num_probes
        index.inverted.num_probes = probes  # as if people were searched for with other vectors than before
        search_for(index, queries)

        calibrated = []
        for look in range(60):
            num_steps = len(steps)
            asyncio.run(keeper.tend())
            if len(steps) > num_steps:
                calibrated.append(look)

        assert abs(index.inverted.num_probes - needed) <= needed
        assert recall_at(index, queries_like(clustered, 100, seed=2)) >= 0.96
        assert np.diff(calibrated).tolist() == [1, 2, 4, 8, 16]

    def test_what_is_found_too_seldom_is_told_by_measuring_long_before_the_next_calibration(
        self, clustered
    ) -> None:
        queries = queries_like(clustered, 64, seed=1)
        index, steps = learned(clustered, queries), []
        keeper = self.keeper(replica_around(index), ServingMetrics(), steps)
        search_for(index, queries)
        for _ in range(200):
            asyncio.run(keeper.tend())
        index.inverted.num_probes = 1

        for query in queries:
            search_for(index, query[np.newaxis])
            asyncio.run(keeper.tend())

        assert recall_at(index, queries_like(clustered, 100, seed=2)) >= 0.96

    def test_all_lists_are_looked_through_where_vectors_lie_in_no_clusters(self) -> None:
        scattered = np.random.default_rng(7).normal(size=(2_000, 65)).astype(np.float32)
        index = learned(scattered)
        search_for(index, queries_like(scattered, 64, seed=1))

        asyncio.run(self.keeper(replica_around(index), ServingMetrics(), []).tend())

        assert index.inverted.num_probes > index.inverted.num_lists // 2
        assert recall_at(index, queries_like(scattered, 100, seed=2)) >= 0.96

    def test_few_contents_are_searched_exactly(self) -> None:
        replica, metrics, steps = replica_of([content("a")]), ServingMetrics(), []

        asyncio.run(self.keeper(replica, metrics, steps).tend())

        assert steps == []
        assert metrics.ann_recall._value.get() == 1.0


NAMES = [f"c{index}" for index in range(1_500)]


def apart(num_clusters: int) -> dict[str, list[float]]:
    """Vectors of all names, in clusters that lie far apart."""
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(num_clusters, 3)) * 10
    return {name: centres[index % num_clusters] + draws.normal(size=3) for index, name in enumerate(NAMES)}


def fill(replica, names, vectors) -> None:
    replica.apply_whole(delta(1, contents=[content(name) for name in names], vectors=vectors))
