"""The models that a replica has at hand, and which of them answers whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitoring.experiment_assignment import (
    PRODUCTION_ARM,
    AssignmentSettings,
    ExperimentAssigner,
    ExperimentSettings,
)
from serve_app.delta_follower import DeltaFollower
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankingPipeline


@dataclass(slots=True)
class ServingModel:
    """One model with everything that it needs to answer. follower: None where nothing changes it."""

    replica: ModelReplica
    pipeline: RankingPipeline
    follower: DeltaFollower | None = None
    hydrator: PersonHydrator = field(init=False)

    def __post_init__(self) -> None:
        self.hydrator = PersonHydrator(self.replica)

    @property
    def is_ready(self) -> bool:
        return self.replica.version is not None


class ServingModels:
    """Production, and who else answers whom. `use` changes both between two requests."""

    def __init__(self, production: ServingModel, arm: str = PRODUCTION_ARM) -> None:
        """arm: of everybody who is in no experiment."""
        self.production = production
        self._arm = arm
        self._models = {production.replica.model_id: production}
        self._assigner = ExperimentAssigner(AssignmentSettings())

    def use(
        self, models: Mapping[str, ServingModel], production: str, assignment: AssignmentSettings
    ) -> None:
        """Serve with these models from the next request on.

        An experiment waits until all its models are here: were one arm to answer before the other, the arms
        would not be alike.
        """
        self.production = models[production]
        self._models = dict(models)
        running = tuple(
            experiment for experiment in assignment.experiments if self._can_run(experiment, production)
        )
        self._assigner = ExperimentAssigner(assignment.model_copy(update={"experiments": running}))

    def choose(self, user_id: str) -> tuple[str, ServingModel]:
        """Return the arm that a person is in, as impressions name it, and the model that answers them."""
        settings = self._assigner.settings
        if not settings.experiments and not settings.holdout_share:
            return self._arm, self.production
        assignment = self._assigner.assign(user_id)
        if assignment.model_id is None:
            arm = self._arm if assignment.arm == PRODUCTION_ARM else assignment.arm
            return arm, self.production
        return assignment.arm, self._models[assignment.model_id]

    def at_hand(self) -> dict[str, ServingModel]:
        """Return the models by name."""
        return dict(self._models)

    def experiments(self) -> list[str]:
        """Return the names of those that run in this replica."""
        return [experiment.name for experiment in self._assigner.settings.experiments]

    def _can_run(self, experiment: ExperimentSettings, production: str) -> bool:
        names = [arm.model_id for arm in experiment.arms]
        return names[0] == production and all(
            name in self._models and self._models[name].is_ready for name in names
        )
