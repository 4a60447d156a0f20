import dataclasses

import numpy as np
import pytest

from messages.examples import HEAD_INDEX, HEADS, ExampleBatch, JoinedExamples, LabelKind
from messages.features import FeatureBatch
from monitoring.off_policy import OffPolicyError, estimate_value
from monitoring.off_policy_log import rows_of_examples, top_rows_of_exploration, with_other_epsilon

EPSILON = 0.1


def shown(generator: np.random.Generator, n: int, items: int = 5) -> ExampleBatch:
    """n places given by an epsilon-greedy policy; the best earns 0.8, all others 0.2."""
    drawn = generator.random(n) < EPSILON
    chosen = np.where(drawn, generator.integers(items, size=n), 0)
    propensities = (1 - EPSILON) * (chosen == 0) + EPSILON / items
    engaged = generator.random(n) < np.where(chosen == 0, 0.8, 0.2)
    labels = np.full((n, len(HEADS)), LabelKind.PROVISIONAL_NEGATIVE, np.uint8)
    labels[:, HEAD_INDEX["engage"]] = np.where(
        engaged, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE
    )
    names = [""] * n
    zeros = np.zeros(n, np.float32)
    joined = JoinedExamples(
        rows=np.arange(n), features=FeatureBatch({}, {}, np.zeros((n, 0), np.float32), None), labels=labels,
        watch_seconds=zeros, slate_positions=np.zeros(n, np.int64),
        propensities=propensities.astype(np.float32), served_scores=zeros,
        request_keys=np.zeros(n, np.uint64), arms=names, model_ids=names, model_versions=names,
    )  # fmt: skip
    keys = np.arange(n, dtype=np.uint64)
    return ExampleBatch(
        event_types=np.zeros(n, np.uint8), times=np.zeros(n), user_keys=keys, content_keys=keys,
        creator_keys=keys, long_views=np.zeros(n, np.bool_), watch_seconds=zeros, joined=joined, uploads=None,
    )  # fmt: skip


@pytest.mark.parametrize(("target", "truth"), [(0.0, 0.8), (0.5, 0.56), (1.0, 0.32)])
def test_another_rate_of_exploration_is_evaluated_on_examples(target: float, truth: float) -> None:
    generator = np.random.default_rng(3)
    batches = [shown(generator, 2_000), ExampleBatch.empty(), shown(generator, 2_000)]
    rows = rows_of_examples(batches, epsilon=EPSILON, target_epsilon=target)
    estimate = estimate_value(rows, "ips")
    assert estimate.low <= truth <= estimate.high
    assert estimate.mean_weight == pytest.approx(1, abs=0.1)


def test_the_same_rate_gives_the_same_chances() -> None:
    propensities = np.array([0.92, 0.02, 0.95, 0.05])
    np.testing.assert_allclose(with_other_epsilon(propensities, 0.1, 0.1), propensities)
    np.testing.assert_allclose(with_other_epsilon(propensities, 0.1, 0.0), [1, 0, 1, 0])
    np.testing.assert_allclose(with_other_epsilon(propensities, 0.1, 1.0), [0.2, 0.2, 0.5, 0.5])


def test_refuses_chances_that_this_exploration_cannot_have_given() -> None:
    with pytest.raises(OffPolicyError, match="do not come from"):
        with_other_epsilon(np.array([0.5]), 0.1, 0.0)
    with pytest.raises(OffPolicyError, match="epsilon"):
        with_other_epsilon(np.array([0.5]), 0.6, 0.0)
    with pytest.raises(OffPolicyError, match="target_epsilon"):
        with_other_epsilon(np.array([0.95]), 0.1, 1.5)
    with pytest.raises(OffPolicyError, match="no row"):
        rows_of_examples([ExampleBatch.empty()], epsilon=0.1, target_epsilon=0.0)


def test_the_model_with_the_better_taste_is_told_by_what_exploration_drew() -> None:
    generator = np.random.default_rng(5)
    batches = [explored(generator, 4_000) for _ in range(3)]

    def value(quality: float) -> tuple[float, float, float]:
        rows = top_rows_of_exploration(
            batches,
            lambda joined: quality * joined.served_scores + generator.normal(0, 0.1, len(joined)),
            epsilon=EPSILON,
            top_share=0.25,
        )
        estimate = estimate_value(rows, "snips")
        return estimate.low, estimate.value, estimate.high

    good, none, contrary = value(5.0), value(0.0), value(-5.0)
    assert good[0] <= 0.875 <= good[2]  # the mean of the best quarter of chances that are uniform in [0, 1]
    assert none[0] <= 0.5 <= none[2]
    assert good[0] > none[2]
    assert contrary[2] < none[0]


def explored(generator: np.random.Generator, n: int) -> ExampleBatch:
    """Places given by draws; a content's chance of engagement is its score."""
    chances = generator.random(n).astype(np.float32)
    batch = shown(generator, n)
    joined = batch.joined
    assert joined is not None
    labels = joined.labels.copy()
    labels[:, HEAD_INDEX["engage"]] = np.where(
        generator.random(n) < chances, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE
    )
    return dataclasses.replace(
        batch,
        joined=dataclasses.replace(
            joined, labels=labels, served_scores=chances, propensities=np.full(n, 0.02, np.float32)
        ),
    )


def test_favourites_need_draws_and_a_share() -> None:
    batch = shown(np.random.default_rng(0), 50)
    for share, epsilon, problem in ((0.0, EPSILON, "top_share"), (0.2, 0.999, "next to nothing")):
        with pytest.raises(OffPolicyError, match=problem):
            top_rows_of_exploration(
                [batch, ExampleBatch.empty()],
                lambda joined: joined.served_scores,
                epsilon=epsilon,
                top_share=share,
            )


def test_traffic_of_a_policy_that_draws_nothing_is_refused() -> None:
    batch = shown(np.random.default_rng(3), 50)
    assert batch.joined is not None
    propensities = batch.joined.propensities.copy()
    propensities[7] = np.nan
    unknown = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, propensities=propensities))

    with pytest.raises(OffPolicyError, match="not drawn"):
        rows_of_examples([unknown], epsilon=EPSILON, target_epsilon=0.0)
    with pytest.raises(OffPolicyError, match="not drawn"):
        top_rows_of_exploration([unknown], lambda joined: joined.served_scores, epsilon=EPSILON)
