"""Settings of models side by side: who may see a candidate, what decides about it, who is told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from monitoring.alert_rules import AlertRule
from monitoring.default_alerts import MODEL_HEALTH, SYSTEM_HEALTH
from monitoring.experiment_analysis import AnalysisSettings
from monitoring.kpis import KpiSettings
from monitoring.promotion import PromotionSettings


class ModelsSettings(BaseModel):
    """canary_share: of all people who see a canary; as many are its control. holdout_share: of all people,
    kept out of every experiment. health: the guardrails of each model. system_health: what is told of the
    system, and decides nothing. shadow_*: see `ShadowComparison`.

    alert_webhook: a URL that every alert and every decision is posted to as JSON; the log has them always.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    canary_share: float = Field(default=0.05, gt=0, le=0.5)
    holdout_share: float = Field(default=0.0, ge=0, lt=1)
    promotion: PromotionSettings = PromotionSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    kpis: KpiSettings = KpiSettings()
    health: tuple[AlertRule, ...] = MODEL_HEALTH
    system_health: tuple[AlertRule, ...] = SYSTEM_HEALTH
    shadow_alpha: float = Field(default=0.05, gt=0, lt=1)
    shadow_min_people: int = Field(default=100, ge=2)
    shadow_planned_people: int = Field(default=5_000, ge=4)
    decide_every_seconds: float = Field(default=2.0, gt=0)
    alert_webhook: str | None = None
