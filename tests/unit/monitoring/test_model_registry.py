import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from messages.codec import pack, unpack
from monitoring.experiment_assignment import ExperimentAssigner
from monitoring.model_lifecycle import RULES, TransitionError
from monitoring.model_registry import ModelRegistry
from monitoring.promotion import Step
from monitoring.promotion_evidence import ProductionEvidence, Stage
from tests.unit.monitoring.test_promotion import SETTINGS, SLOW, canary, metric, shadow


def registry(*others: str, canary_share: float = 0.1) -> ModelRegistry:
    models = ModelRegistry(SETTINGS, canary_share)
    for model_id in ("first", *others):
        models.add(model_id, "scratch", 0.0)
    return models


def test_the_first_model_is_production_and_others_begin_as_shadows() -> None:
    models = registry("second")
    assert models.production == "first"
    assert models.models["second"].lifecycle.stage is Stage.SHADOW
    with pytest.raises(TransitionError, match="already"):
        models.add("second", "scratch", 1.0)
    with pytest.raises(TransitionError, match="letters"):
        models.add("a/b", "scratch", 1.0)
    with pytest.raises(LookupError):
        _ = ModelRegistry(SETTINGS).production


def test_a_candidate_goes_all_the_way_and_what_was_production_keeps_learning() -> None:
    models = registry("second")
    models.consider("second", shadow(), 1.0)
    assert models.assignment().experiments[0].traffic == pytest.approx(0.2)
    _, changes = models.consider("second", canary(), 2.0)
    assert models.production == "second"
    assert [(change.model_id, change.transition.after) for change in changes] == [
        ("second", Stage.PRODUCTION),
        ("first", Stage.SHADOW),
    ]
    assert changes[1].transition.reasons == ("second became production",)
    assert models.assignment().experiments == ()


def test_a_worse_candidate_is_stopped_at_the_canary() -> None:
    models = registry("second")
    models.consider("second", shadow(), 1.0)
    models.consider("second", canary(metric(verdict="worse")), 2.0)
    assert models.models["second"].lifecycle.stage is Stage.STOPPED
    assert models.production == "first"
    models.retire("second")
    with pytest.raises(TransitionError, match="no model second"):
        models.command("second", Stage.SHADOW, 3.0, "ada", "again")


def test_production_that_turns_bad_gives_way_to_the_one_before() -> None:
    models = registry("second")
    models.command("second", Stage.PRODUCTION, 1.0, "ada", "sure of it")
    decision, changes = models.consider("second", ProductionEvidence(9, (SLOW,)), 10.0)
    assert decision.step is Step.ROLL_BACK
    assert models.production == "first"
    assert models.models["second"].lifecycle.stage is Stage.STOPPED
    assert not any(change.opens_lineage for change in changes)
    assert changes[1].transition.by == RULES


def test_production_without_a_model_before_goes_back_to_its_own_snapshot() -> None:
    models = registry("second")
    changes = models.rollback(5.0, "ada", "it smells")
    assert models.production == "first"
    assert changes[-1].opens_lineage
    assert models.models["first"].lineage == 1
    assert [each.after for each in models.models["first"].lifecycle.history] == [
        Stage.STOPPED,
        Stage.PRODUCTION,
    ]


def test_production_cannot_be_commanded_away() -> None:
    models = registry("second")
    with pytest.raises(TransitionError, match="roll back"):
        models.command("first", Stage.STOPPED, 1.0, "ada", "why not")
    with pytest.raises(TransitionError, match="stop it first"):
        models.retire("first")


def test_canaries_have_people_of_their_own_until_none_are_left() -> None:
    models = registry("a", "b", "c", canary_share=0.25)
    for name in ("a", "b"):
        models.command(name, Stage.CANARY, 1.0, "ada", "try")
    assignment = models.assignment(holdout_share=0.1)
    assert [experiment.start for experiment in assignment.experiments] == [0.0, 0.5]
    arms = {ExperimentAssigner(assignment).assign(f"u{k}").arm for k in range(300)}
    assert arms == {"holdout", "a/control", "a/canary", "b/control", "b/canary"}
    with pytest.raises(TransitionError, match="all the people"):
        models.command("c", Stage.CANARY, 2.0, "ada", "try")
    decision, changes = models.consider("c", shadow(), 3.0)
    assert changes == []
    assert "other canaries have all the people" in decision.words()
    models.command("a", Stage.SHADOW, 4.0, "ada", "later")
    models.consider("c", shadow(), 5.0)
    assert models.models["c"].canary_start == 0.0


def test_what_asks_first_is_done_on_a_yes() -> None:
    models = ModelRegistry(SETTINGS.model_copy(update={"automatic": False}))
    models.add("first", "scratch", 0.0)
    models.add("second", "copy of first", 0.0)
    assert models.consider("second", shadow(), 1.0)[1] == []
    models.approve("second", 2.0, "ada")
    assert models.models["second"].lifecycle.history[0].by == "ada"
    assert models.models["second"].canary_start == 0.0
    with pytest.raises(TransitionError, match="no decision"):
        models.approve("second", 2.0, "ada")


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_canary_leaves_room_for_its_control(share: float) -> None:
    with pytest.raises(ValueError, match="canary_share"):
        ModelRegistry(SETTINGS, share)


NAMES = ("first", "a", "b", "c")


class AnyHistory(RuleBasedStateMachine):
    """Whatever is commanded and decided, in whatever order, with a crash after each."""

    @initialize()
    def begin(self) -> None:
        self.models = registry(*NAMES[1:], canary_share=0.25)
        self.now = 0.0

    @rule(name=st.sampled_from(NAMES), stage=st.sampled_from(list(Stage)))
    def command(self, name: str, stage: Stage) -> None:
        self._try(lambda: self.models.command(name, stage, self.now, "ada", "because"))

    @rule(
        name=st.sampled_from(NAMES),
        evidence=st.sampled_from([shadow(), canary(), canary(metric(verdict="worse")), shadow(0.2, 0.3)]),
    )
    def consider(self, name: str, evidence: object) -> None:
        self._try(lambda: self.models.consider(name, evidence, self.now))  # type: ignore[arg-type]

    @rule()
    def production_breaks(self) -> None:
        self.models.consider(self.models.production, ProductionEvidence(1, (SLOW,)), self.now)

    @rule()
    def roll_back(self) -> None:
        self.models.rollback(self.now, "ada", "because")

    @rule(name=st.sampled_from(NAMES))
    def retire(self, name: str) -> None:
        self._try(lambda: self.models.retire(name))

    def _try(self, act: object) -> None:
        self.now += 1
        before = self.models.to_wire()
        try:
            act()  # type: ignore[operator]
        except TransitionError:
            assert self.models.to_wire() == before, "a refusal changes nothing"

    @invariant()
    def holds(self) -> None:
        stages = [model.lifecycle.stage for model in self.models.models.values() if not model.is_retired]
        assert stages.count(Stage.PRODUCTION) == 1
        canaries = [model for model in self.models.models.values() if model.lifecycle.stage is Stage.CANARY]
        starts = [model.canary_start for model in self.models.models.values()]
        assert len({start for start in starts if start is not None}) == len(canaries)
        assert all(model.canary_start is not None for model in canaries)
        assert len(self.models.assignment().experiments) == len(canaries)
        for model in self.models.models.values():
            path = [each.after for each in model.lifecycle.history]
            assert not path or path[-1] is model.lifecycle.stage
        restored = ModelRegistry.from_wire(unpack(pack(self.models.to_wire())), SETTINGS)
        assert restored.to_wire() == self.models.to_wire()
        self.models = restored


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(stateful_step_count=25)
