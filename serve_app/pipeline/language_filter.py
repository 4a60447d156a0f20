"""Nothing in a language that the person does not speak."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray
from messages.content import language_name
from messages.identifiers import MISSING_KEY, keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class LanguageFilter:
    """Keeps contents in the languages of request and profile, and those of no known language.

    Somebody of whom no language is known is shown all of them. Regions do not count: `de-CH` reads `de`.
    """

    name = "language"

    def __init__(self, replica: ModelReplica) -> None:
        self._replica = replica

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        stated = str((request.traits or {}).get("language") or "")
        spoken = [language_name(tag) for tag in (request.context.language, stated) if tag]
        if not spoken:
            return np.ones(len(candidates), dtype=np.bool_)
        languages = self._replica.state.contents.language_keys[candidates.rows]
        understood: BoolArray = languages == MISSING_KEY
        for language in keys_of(spoken):
            understood |= languages == language
        return understood
