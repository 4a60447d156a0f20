"""What KuaiRand's file of user features says of each person, as the profile of a replayed impression."""

from __future__ import annotations

import pandas as pd

PROFILE_COLUMNS = (
    "is_video_author", "follow_user_num_range", "fans_user_num_range", "friend_user_num_range",
    "register_days_range", "onehot_feat0", "onehot_feat1", "onehot_feat2", "onehot_feat4", "onehot_feat5",
    "onehot_feat6", "onehot_feat7", "onehot_feat8", "onehot_feat9", "onehot_feat10", "onehot_feat11",
)  # fmt: skip
"""What an app knows of a person before they watch anything. Left out is what tells how active somebody was in
the data set's own period (`user_active_degree`, `is_lowactive_period`), the exact numbers, of which the
ranges are enough, and the encrypted features with too many values to mean anything."""


class KuaiRandPeople:
    """Profiles by user; nobody has one where the folder has no such file. people: a table with user_id."""

    def __init__(self, people: pd.DataFrame | None) -> None:
        self._profiles: dict[int, dict[str, str]] = {}
        if people is not None:
            columns = [column for column in PROFILE_COLUMNS if column in people.columns]
            rows = people[columns].to_dict("records")
            self._profiles = {
                int(user): {str(name): str(value) for name, value in row.items() if pd.notna(value)}
                for user, row in zip(people["user_id"], rows, strict=True)
            }

    def of(self, user_id: int) -> dict[str, str] | None:
        return self._profiles.get(user_id)
