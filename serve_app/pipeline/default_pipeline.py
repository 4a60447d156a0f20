"""The pipeline as it is served: which stages there are, in which order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from serve_app.model_replica import ModelReplica
from serve_app.pipeline.age_filter import AgeFilter, AgeSettings
from serve_app.pipeline.blocked_creator_filter import BlockedCreatorFilter
from serve_app.pipeline.candidate_limit_filter import CandidateLimitFilter, CandidateLimitSettings
from serve_app.pipeline.catalogue_sample_source import CatalogueSampleSettings, CatalogueSampleSource
from serve_app.pipeline.category_mix_scorer import CategoryMixScorer, CategoryMixSettings
from serve_app.pipeline.collaborative_source import (
    CollaborativeSettings,
    CollaborativeSource,
    NeighbourObserver,
)
from serve_app.pipeline.creator_decay_scorer import CreatorDecayScorer, CreatorDecaySettings
from serve_app.pipeline.diverse_slate_selector import DiverseSlateSelector, DiverseSlateSettings
from serve_app.pipeline.duplicate_filter import DuplicateFilter
from serve_app.pipeline.epsilon_greedy_exploration import EpsilonGreedyExploration, ExplorationSettings
from serve_app.pipeline.fairness_scorer import FairnessScorer, FairnessSettings
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.followed_source import (
    FollowedCreatorsSource,
    FollowedSettings,
    PreferredCategoriesSource,
)
from serve_app.pipeline.fresh_source import FreshSettings, FreshSource
from serve_app.pipeline.hidden_content_filter import HiddenContentFilter
from serve_app.pipeline.hybrid_source import HybridSettings, HybridSource
from serve_app.pipeline.language_filter import LanguageFilter
from serve_app.pipeline.model_scorer import ModelScorer
from serve_app.pipeline.moderation_filter import ModerationFilter
from serve_app.pipeline.neighbour_table import NeighbourTable
from serve_app.pipeline.previously_served_filter import PreviouslyServedFilter
from serve_app.pipeline.previously_watched_filter import PreviouslyWatchedFilter
from serve_app.pipeline.ranking_pipeline import RankingPipeline
from serve_app.pipeline.served_model import ServedModel
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.pipeline.similar_to_liked_source import SimilarToLikedSettings, SimilarToLikedSource
from serve_app.pipeline.stages import Exploration, Filter, Scorer, Selector, SlateObserver, Source
from serve_app.pipeline.top_score_selector import SlateSettings, TopScoreSelector
from serve_app.pipeline.trend_boost_scorer import TrendBoostScorer, TrendBoostSettings
from serve_app.pipeline.trend_forecaster import TrendForecaster
from serve_app.pipeline.trending_source import TrendingSettings, TrendingSource
from serve_app.pipeline.two_tower_source import TwoTowerSettings, TwoTowerSource
from serve_app.pipeline.ucb_exploration import UcbExploration, UcbSettings
from serve_app.pipeline.weighted_sum_scorer import WeightedSumScorer, WeightedSumSettings


class PipelineSettings(BaseModel):
    """One settings model for each stage that has any.

    learned_order_only: order by the learned score alone: nothing that moves scores after the weighted sum, no
    cap, no diversity, no exploration (for measuring the model, and for tests of what it has learned).
    exploration_policy: what fills exploring places; traffic of `ucb` bears no propensities, so nothing can be
    evaluated off-policy from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    two_tower: TwoTowerSettings = TwoTowerSettings()
    similar_to_liked: SimilarToLikedSettings = SimilarToLikedSettings()
    collaborative: CollaborativeSettings = CollaborativeSettings()
    hybrid: HybridSettings = HybridSettings()
    followed: FollowedSettings = FollowedSettings()
    fresh: FreshSettings = FreshSettings()
    trending: TrendingSettings = TrendingSettings()
    catalogue_sample: CatalogueSampleSettings = CatalogueSampleSettings()
    age: AgeSettings = AgeSettings()
    candidate_limit: CandidateLimitSettings = CandidateLimitSettings()
    weighted_sum: WeightedSumSettings = WeightedSumSettings()
    trend_boost: TrendBoostSettings = TrendBoostSettings()
    creator_decay: CreatorDecaySettings = CreatorDecaySettings()
    category_mix: CategoryMixSettings = CategoryMixSettings()
    fairness: FairnessSettings = FairnessSettings()
    slate: SlateSettings = SlateSettings()
    diverse_slate: DiverseSlateSettings = DiverseSlateSettings()
    exploration_policy: Literal["epsilon_greedy", "ucb"] = "epsilon_greedy"
    exploration: ExplorationSettings = ExplorationSettings()
    ucb: UcbSettings = UcbSettings()
    learned_order_only: bool = False


def build_sources(
    settings: PipelineSettings,
    replica: ModelReplica,
    model: ServedModel,
    neighbours: NeighbourTable | None = None,
) -> list[Source]:
    """In the order in which they may claim a content that several propose: the most telling reason first.

    neighbours: kept across requests; without one an empty table.
    """
    return [
        FollowedCreatorsSource(settings.followed, replica),
        _by_taste(settings, replica, neighbours or NeighbourTable(settings.collaborative.neighbours)),
        TwoTowerSource(settings.two_tower, replica, model),
        PreferredCategoriesSource(settings.followed, replica),
        TrendingSource(settings.trending, replica),
        FreshSource(settings.fresh, replica),
        CatalogueSampleSource(settings.catalogue_sample, replica),
    ]


def _by_taste(settings: PipelineSettings, replica: ModelReplica, neighbours: NeighbourTable) -> Source:
    """Blend content-based and collaborative filtering, or take one of them where alpha leaves only one."""
    content_based = SimilarToLikedSource(settings.similar_to_liked, replica)
    collaborative = CollaborativeSource(settings.collaborative, replica, neighbours)
    if settings.hybrid.alpha == 1:
        return content_based
    if settings.hybrid.alpha == 0:
        return collaborative
    return HybridSource(settings.hybrid, content_based, collaborative)


def build_filters(settings: PipelineSettings, replica: ModelReplica) -> list[Filter]:
    """The bound on candidates stands last: it must count only what may be shown."""
    return [
        DuplicateFilter(),
        PreviouslyServedFilter(),
        PreviouslyWatchedFilter(),
        HiddenContentFilter(),
        BlockedCreatorFilter(),
        ModerationFilter(replica),
        AgeFilter(settings.age, replica),
        LanguageFilter(replica),
        CandidateLimitFilter(settings.candidate_limit),
    ]


def build_scorers(
    settings: PipelineSettings,
    replica: ModelReplica,
    model: ServedModel,
    weights: SignalWeights | None = None,
) -> list[Scorer]:
    """The learned score, then what moves it for reasons of its own; `explain` tells each one's part."""
    scorers: list[Scorer] = [ModelScorer(model), WeightedSumScorer(settings.weighted_sum, weights)]
    if settings.learned_order_only:
        return scorers
    return [
        *scorers,
        TrendBoostScorer(settings.trend_boost, TrendForecaster(settings.trend_boost.forecast, replica)),
        CreatorDecayScorer(settings.creator_decay),
        CategoryMixScorer(settings.category_mix, replica),
        FairnessScorer(settings.fairness, replica),
    ]


def build_exploration(settings: PipelineSettings, max_per_creator: int) -> Exploration:
    if settings.learned_order_only:
        return EpsilonGreedyExploration(ExplorationSettings(epsilon=0.0), max_per_creator)
    if settings.exploration_policy == "ucb":
        return UcbExploration(settings.ucb, max_per_creator)
    return EpsilonGreedyExploration(settings.exploration, max_per_creator)


def build_pipeline(
    settings: PipelineSettings,
    replica: ModelReplica,
    model: ServedModel,
    weights: SignalWeights | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> RankingPipeline:
    """Wire the stages to one replica. weights: the live table; without one the settings' own holds. timer: of
    the stages, seconds."""
    slate = SlateSettings(max_per_creator=0) if settings.learned_order_only else settings.slate
    selector: Selector = TopScoreSelector(slate)
    if settings.diverse_slate.quality < 1 and not settings.learned_order_only:
        selector = DiverseSlateSelector(settings.diverse_slate, slate, replica)
    neighbours = NeighbourTable(settings.collaborative.neighbours)
    scorers = build_scorers(settings, replica, model, weights)
    return RankingPipeline(
        replica=replica,
        sources=build_sources(settings, replica, model, neighbours),
        filters=build_filters(settings, replica),
        hydrator=FeatureHydrator(replica, model),
        scorers=scorers,
        selector=selector,
        exploration=build_exploration(settings, slate.max_per_creator),
        observers=[
            NeighbourObserver(neighbours),
            *(scorer for scorer in scorers if isinstance(scorer, SlateObserver)),
        ],
        timer=timer,
    )
