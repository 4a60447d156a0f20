import pytest

from messages.codec import pack, unpack
from monitoring.model_lifecycle import ALLOWED, RULES, ModelLifecycle, TransitionError
from monitoring.promotion import PromotionSettings, Step
from monitoring.promotion_evidence import ProductionEvidence, Stage
from tests.unit.monitoring.test_promotion import SETTINGS, SLOW, canary, shadow

ASKING = SETTINGS.model_copy(update={"automatic": False})


def lifecycle(settings: PromotionSettings = SETTINGS, stage: Stage = Stage.SHADOW) -> ModelLifecycle:
    return ModelLifecycle(stage, 0.0, settings)


def test_a_good_model_goes_all_the_way_and_is_rolled_back_when_it_turns_bad() -> None:
    model = lifecycle()
    for now, evidence in ((1.0, shadow()), (2.0, canary()), (3.0, ProductionEvidence(1, (SLOW,)))):
        _, transition = model.consider(evidence, now)
        assert transition is not None
        assert transition.by == RULES
        assert transition.reasons
    assert [each.after for each in model.history] == [Stage.CANARY, Stage.PRODUCTION, Stage.STOPPED]
    assert model.since == 3.0


def test_waiting_leaves_no_trace() -> None:
    model = lifecycle()
    decision, transition = model.consider(shadow(-0.1, 0.2), 1.0)
    assert (decision.step, transition) == (Step.WAIT, None)
    assert model.history == []
    assert model.since == 0.0


def test_what_asks_first_waits_for_a_yes() -> None:
    model = lifecycle(ASKING)
    decision, transition = model.consider(shadow(), 1.0)
    assert transition is None
    assert model.stage is Stage.SHADOW
    assert model.waiting == decision
    said = model.approve(2.0, "ada")
    assert (said.by, said.reasons, model.stage) == ("ada", decision.reasons, Stage.CANARY)
    with pytest.raises(TransitionError, match="no decision"):
        model.approve(3.0, "ada")


def test_a_no_keeps_the_model_and_newer_evidence_replaces_what_waits() -> None:
    model = lifecycle(ASKING)
    model.consider(shadow(), 1.0)
    model.decline()
    assert model.waiting is None
    with pytest.raises(TransitionError, match="no decision"):
        model.decline()
    model.consider(shadow(), 2.0)
    model.consider(shadow(-0.1, 0.2), 3.0)
    assert model.waiting is None


def test_going_back_does_not_ask_by_default() -> None:
    model = lifecycle(ASKING)
    model.consider(shadow(0.2, 0.3), 1.0)
    assert model.stage is Stage.STOPPED


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("wanted", list(Stage))
def test_a_person_may_go_only_the_ways_there_are(stage: Stage, wanted: Stage) -> None:
    model = lifecycle(stage=stage)
    if wanted in ALLOWED[stage]:
        transition = model.command(wanted, 1.0, "ada", "because")
        assert (transition.before, transition.after, transition.by) == (stage, wanted, "ada")
        assert transition.reasons == ("because",)
    else:
        with pytest.raises(TransitionError, match=f"cannot go to {wanted}"):
            model.command(wanted, 1.0, "ada", "because")
        assert model.history == []


def test_evidence_of_another_stage_is_refused() -> None:
    with pytest.raises(TransitionError, match="says nothing"):
        lifecycle().consider(canary(), 1.0)
    with pytest.raises(TransitionError, match="says nothing"):
        lifecycle(stage=Stage.STOPPED).consider(shadow(), 1.0)


def test_the_history_comes_back_from_the_registry() -> None:
    model = lifecycle()
    model.consider(shadow(), 1.0)
    model.consider(canary(), 2.0)
    restored = ModelLifecycle.from_wire(unpack(pack(model.to_wire())), SETTINGS)
    assert restored.history == model.history
    assert (restored.stage, restored.since) == (Stage.PRODUCTION, 2.0)
