import numpy as np

from monitoring.alert_rules import AlertEvaluator
from monitoring.default_alerts import MODEL_HEALTH, SYSTEM_HEALTH
from monitoring.model_lifecycle import ModelLifecycle
from monitoring.promotion import PromotionSettings
from monitoring.promotion_evidence import ProductionEvidence, Stage, health_of


def rolled_back_after(losses: list[float]) -> float | None:
    """One reading a second of production's loss; return when it is rolled back, in seconds."""
    evaluator = AlertEvaluator(MODEL_HEALTH)
    model = ModelLifecycle(Stage.PRODUCTION, 0.0, PromotionSettings())
    for second, loss in enumerate(losses):
        now = float(second)
        evaluator.add(now, {"normalized_loss": loss, "calibration": 1.0, "error_rate": 0.0})
        evaluator.evaluate(now)
        _, transition = model.consider(ProductionEvidence(now, health_of(evaluator.readings(now))), now)
        if transition is not None:
            assert transition.reasons[0].startswith("loss_rises is ")
            return now
    return None


def test_a_model_that_turns_bad_is_rolled_back_within_half_a_minute() -> None:
    generator = np.random.default_rng(0)
    good, bad = generator.normal(0.5, 0.03, 300), generator.normal(1.5, 0.3, 60)
    time = rolled_back_after([*good, *bad])
    assert time is not None
    assert 300 < time < 330


def test_a_model_that_learns_and_wavers_is_left_alone() -> None:
    generator = np.random.default_rng(1)
    falling = 0.4 + 0.3 * np.exp(-np.arange(600) / 100) + generator.normal(0, 0.05, 600)
    assert rolled_back_after(falling.tolist()) is None


def test_all_rules_can_stand_together() -> None:
    assert AlertEvaluator([*MODEL_HEALTH, *SYSTEM_HEALTH]).evaluate(0.0) == []
