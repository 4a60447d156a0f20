"""The worlds that policies are compared on: fixed here before anything was tuned against them.

    steady       nothing changes but what people have seen
    drift        tastes drift, and at two moments those of most people jump
    cold-start   most contents, and many people, come while the world runs; two topics that are disliked at
                 first become as dear as any other
    trends       tags that everybody likes for an hour or two
    adversarial  one person in a hundred is a bot that pushes a creator or reports what is good

All of them last a day, with sessions that begin, end and come again by satisfaction, a position bias, and
uploads over the day in all but `steady`. People differ in activity (log-normal, deviation 0.5), creators in
output (log-normal, 0.8): few make most, as in KuaiRand, whose shares of clicks (about 0.4) and of long views
(about 0.3) the world's random and popular feeds bracket.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from simulations.attendance import AttendanceSettings
from simulations.dynamics import DynamicsSettings
from simulations.world import WorldSettings


class Preset(BaseModel):
    """A world, how long it lasts, and what it is for. slate: contents served at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    purpose: str
    world: WorldSettings
    attendance: AttendanceSettings = AttendanceSettings()
    hours: float = Field(default=24.0, gt=0)
    slate: int = Field(default=10, ge=1)

    def with_size(self, *, people: int | None = None, seed: int | None = None) -> Preset:
        """Return the same world with as many people, or with another seed."""
        changes = {"num_people": people, "seed": seed}
        world = self.world.model_copy(
            update={name: value for name, value in changes.items() if value is not None}
        )
        return self.model_copy(update={"world": world})


def _world(dynamics: DynamicsSettings, **changes: object) -> WorldSettings:
    size = {"num_people": 200, "num_contents": 2_000, "num_creators": 150, "position_bias": 0.1}
    return WorldSettings.model_validate({**size, "dynamics": dynamics, **changes})


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="steady",
            purpose="how fast and how well tastes are learned that do not change",
            world=_world(DynamicsSettings()),
        ),
        Preset(
            name="drift",
            purpose="how soon a feed follows tastes that drift and jump",
            world=_world(
                DynamicsSettings(
                    drift_deviation=0.4,
                    drift_hours=24.0,
                    jump_hours=(9.0, 17.0),
                    jump_share=0.7,
                    uploaded_later=0.3,
                )
            ),
        ),
        Preset(
            name="cold-start",
            purpose="how soon new contents, new people and a category once disliked come to their due",
            world=_world(
                DynamicsSettings(
                    uploaded_later=0.6, arriving_later=0.4, suppressed_topics=2, suppressed_hours=8.0
                )
            ),
        ),
        Preset(
            name="trends",
            purpose="how soon a feed joins what everybody likes for an hour",
            world=_world(
                DynamicsSettings(num_trends=30, trend_strength=2.5, trend_rise_hours=0.75, uploaded_later=0.4)
            ),
        ),
        Preset(
            name="adversarial",
            purpose="how far bots and mass reporters move what honest people get",
            world=_world(DynamicsSettings(uploaded_later=0.3), bot_share=0.01),
        ),
    )
}
