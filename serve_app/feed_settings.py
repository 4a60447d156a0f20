"""The settings of everything that serves, one model for each part."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from serve_app.delta_follower import DeltaFollowerSettings
from serve_app.feed_service import FeedServiceSettings
from serve_app.http.api_settings import ApiSettings
from serve_app.index_keeper import IndexKeeperSettings
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.pipeline.default_pipeline import PipelineSettings


class FeedSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: PipelineSettings = PipelineSettings()
    index: ContentIndexSettings = ContentIndexSettings()
    index_keeper: IndexKeeperSettings = IndexKeeperSettings()
    service: FeedServiceSettings = FeedServiceSettings()
    follower: DeltaFollowerSettings = DeltaFollowerSettings()
    api: ApiSettings = ApiSettings()
