import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from messages.identifiers import keys_of
from monitoring.experiment_assignment import (
    HOLDOUT_ARM,
    NOT_IN_EXPERIMENT,
    PRODUCTION_ARM,
    ArmSettings,
    AssignmentSettings,
    ExperimentAssigner,
    ExperimentSettings,
    uniform_of,
)

ARMS = (ArmSettings(name="control", model_id="old"), ArmSettings(name="new", model_id="new"))
PEOPLE = [f"user-{number}" for number in range(20_000)]
KEYS = keys_of(PEOPLE)


def experiment(name: str = "one", **changes: object) -> ExperimentSettings:
    return ExperimentSettings.model_validate({"name": name, "arms": ARMS, **changes})


def arms(settings: ExperimentSettings, **others: object) -> np.ndarray:
    assigner = ExperimentAssigner(AssignmentSettings.model_validate({"experiments": (settings,), **others}))
    return assigner.arms(settings, KEYS)


def test_arms_get_their_shares() -> None:
    weighted = (ARMS[0].model_copy(update={"weight": 9.0}), ARMS[1])
    counts = np.bincount(arms(experiment(arms=weighted)))
    assert stats.chisquare(counts, [18_000, 2_000]).pvalue > 0.001


def test_more_traffic_keeps_everybody_in_their_arm() -> None:
    canary, wider = arms(experiment(traffic=0.05)), arms(experiment(traffic=0.6))
    inside = canary != NOT_IN_EXPERIMENT
    assert 0.04 < inside.mean() < 0.06
    np.testing.assert_array_equal(canary[inside], wider[inside])
    assert 0.58 < (wider != NOT_IN_EXPERIMENT).mean() < 0.62


def test_another_salt_is_another_draw() -> None:
    first, second = arms(experiment()), arms(experiment(salt="again"))
    assert 0.48 < (first == second).mean() < 0.52


def test_experiments_of_one_layer_share_nobody_and_of_two_layers_are_independent() -> None:
    one, two = experiment("one", traffic=0.5), experiment("two", traffic=0.5, start=0.5)
    other = experiment("three", traffic=0.5, layer="retrieval")
    settings = AssignmentSettings(experiments=(one, two, other))
    assigner = ExperimentAssigner(settings)
    in_one, in_two, in_other = (assigner.arms(each, KEYS) != NOT_IN_EXPERIMENT for each in (one, two, other))
    assert not (in_one & in_two).any()
    assert (in_one | in_two).all()
    assert (in_one & in_other).mean() == pytest.approx(in_one.mean() * in_other.mean(), abs=0.01)


def test_one_person_is_assigned_as_all_of_them_are() -> None:
    settings = AssignmentSettings(experiments=(experiment(traffic=0.5),), holdout_share=0.1)
    assigner = ExperimentAssigner(settings)
    expected = assigner.arms(settings.experiments[0], KEYS[:300])
    holdout = assigner.in_holdout(KEYS[:300])
    for person, arm, held in zip(PEOPLE, expected, holdout, strict=False):
        assignment = assigner.assign(person)
        if held:
            assert assignment.arm == HOLDOUT_ARM
        elif arm == NOT_IN_EXPERIMENT:
            assert (assignment.arm, assignment.model_id) == (PRODUCTION_ARM, None)
        else:
            assert (assignment.arm, assignment.model_id) == (f"one/{ARMS[arm].name}", ARMS[arm].model_id)


def test_the_holdout_is_in_no_experiment() -> None:
    settings = AssignmentSettings(experiments=(experiment(),), holdout_share=0.1)
    assigner = ExperimentAssigner(settings)
    held = assigner.in_holdout(KEYS)
    assert 0.09 < held.mean() < 0.11
    assert (assigner.arms(settings.experiments[0], KEYS)[held] == NOT_IN_EXPERIMENT).all()


def test_hashes_are_uniform_and_never_change() -> None:
    assert stats.kstest(uniform_of(KEYS, "salt"), "uniform").pvalue > 0.001
    assert uniform_of(KEYS[:2], "salt").tolist() == FIRST_HASHES


FIRST_HASHES = [0.08582148070086659, 0.3010371621863652]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": (ARMS[0], ARMS[0])}, "different names"),
        ({"start": 0.7, "traffic": 0.5}, "past the layer's end"),
        ({"arms": (ARMS[0],)}, "at least 2"),
    ],
)
def test_refuses_an_experiment_that_cannot_be(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        experiment(**changes)


def test_refuses_experiments_that_overlap() -> None:
    with pytest.raises(ValidationError, match="share people"):
        AssignmentSettings(
            experiments=(experiment("one", traffic=0.6), experiment("two", start=0.5, traffic=0.5))
        )
    with pytest.raises(ValidationError, match="different names"):
        AssignmentSettings(experiments=(experiment(traffic=0.5), experiment(traffic=0.5, start=0.5)))
