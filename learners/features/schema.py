"""Which features exist, in which column they stand and which table of embeddings each id is looked up in.

Serving, joiner and learner all read this page; a name that is added here must be computed in
`learners/features` and changes the shape of the first layer, so it opens a new model lineage.
"""

from __future__ import annotations

from messages.slate_features import FACT_BAGS, FACT_IDS, SlateLayout

USER_SLOT = "user"
CONTENT_SLOT = "content"
CREATOR_SLOT = "creator"
CATEGORY_SLOT = "category"
TAG_SLOT = "tag"
AUDIO_SLOT = "audio"
CONTEXT_SLOT = "context"
RETRIEVAL_SLOT = "retrieval_content"
RETRIEVAL_SOURCE_SLOT = CONTENT_SLOT
"""The retrieval table is read for exactly the ids for which this one is: contents and histories."""

ID_FEATURES: dict[str, str] = {
    "user": USER_SLOT,
    "device": CONTEXT_SLOT,
    "network": CONTEXT_SLOT,
    "surface": CONTEXT_SLOT,
    "language": CONTEXT_SLOT,
    "hour": CONTEXT_SLOT,
    "content": CONTENT_SLOT,
    "creator": CREATOR_SLOT,
    "category": CATEGORY_SLOT,
    "audio": AUDIO_SLOT,
    "duration_bucket": CONTEXT_SLOT,
    "content_language": CONTEXT_SLOT,
    "surface_category": CONTEXT_SLOT,
    "surface_duration": CONTEXT_SLOT,
}
"""One id per row. Ids of the context slot are hashed with the feature's name, so they share a table without
sharing rows."""

SHARED_ID_FEATURES: tuple[str, ...] = ("user", "device", "network", "surface", "language", "hour")
"""Equal in all rows of one request: looked up once."""

CONTENT_ID_FEATURES: tuple[str, ...] = tuple(name for name in ID_FEATURES if name not in SHARED_ID_FEATURES)

BAG_FEATURES: dict[str, str] = {
    "history": CONTENT_SLOT,
    "preferred_categories": CATEGORY_SLOT,
    "traits": CONTEXT_SLOT,
    "tags": TAG_SLOT,
}
"""Several ids per row, pooled to the mean of their rows. history: contents the person engaged with, newest
last. preferred_categories: those with the highest preference. traits: the fields of the person's profile."""

SHARED_BAG_FEATURES: tuple[str, ...] = ("history", "preferred_categories", "traits")
CONTENT_BAG_FEATURES: tuple[str, ...] = FACT_BAGS

MAX_HISTORY = 20
MAX_PREFERRED_CATEGORIES = 5
MAX_TRAITS = 24

USER_DENSE_FEATURES: tuple[str, ...] = (
    "engage_rate",
    "long_view_rate",
    "log_terminals",
    "preference",
    "recent_engage_rate",
    "recent_long_view_rate",
    "recent_log_terminals",
    "last_engaged",
    "engaged_of_last_3",
    "engaged_of_last_10",
    "log_seconds_since_event",
    "log_session_contents",
    "log_session_seconds",
    "log_sessions",
    "log_contents",
    "log_average_session_seconds",
    "log_average_session_contents",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "log_network_speed",
    "network_speed_known",
    "log_load_time",
    "load_time_known",
)
"""Equal in all rows of one request: the first columns of `FeatureBatch.dense`."""

PAIR_DENSE_FEATURES: tuple[str, ...] = (
    "category_share",
    "category_engage_rate",
    "category_long_view_rate",
    "category_preference",
    "category_log_terminals",
    "category_recency",
    "creator_engage_rate",
    "creator_long_view_rate",
    "creator_preference",
    "creator_log_terminals",
    "creator_recency",
    "creator_followed",
    "content_in_history",
    "content_liked",
    "log_duration",
    "duration_known",
    "log_duration_x_engage_rate",
    "log_duration_x_long_view_rate",
    "log_age",
    "num_tags",
    "same_language",
    "latest_category_engage_rate",
    "latest_category_preference",
    "latest_category_log_terminals",
    "log_audio_uses",
)
"""One person beside one content, and what is fixed of the content: the other columns."""

DENSE_FEATURES: tuple[str, ...] = USER_DENSE_FEATURES + PAIR_DENSE_FEATURES
NUM_USER_DENSE = len(USER_DENSE_FEATURES)

ENGAGE_PRIOR = 0.45
LONG_VIEW_PRIOR = 0.3
RARE_PRIOR = 0.02
"""What is believed of a rate before anything is counted: only a starting point, so rough numbers do."""

COUNTER_RATE_PRIORS: dict[str, float] = {
    "engage_rate": ENGAGE_PRIOR,
    "long_view_rate": LONG_VIEW_PRIOR,
    "complete_rate": LONG_VIEW_PRIOR,
    "like_rate": RARE_PRIOR,
    "comment_rate": RARE_PRIOR,
    "share_rate": RARE_PRIOR,
    "save_rate": RARE_PRIOR,
    "follow_rate": RARE_PRIOR,
    "replay_rate": RARE_PRIOR,
    "negative_rate": RARE_PRIOR,
    "hour_engage_rate": ENGAGE_PRIOR,
    "hour_long_view_rate": LONG_VIEW_PRIOR,
    "hour_positive_rate": RARE_PRIOR,
    "hour_negative_rate": RARE_PRIOR,
    "day_engage_rate": ENGAGE_PRIOR,
    "day_long_view_rate": LONG_VIEW_PRIOR,
    "day_positive_rate": RARE_PRIOR,
    "day_negative_rate": RARE_PRIOR,
}
"""Rates since the upload, then as of the moment at both half-lives, each with its prior."""

COUNTER_SIZES: tuple[str, ...] = (
    "log_watch_seconds",
    "log_terminals",
    "hour_log_terminals",
    "day_log_terminals",
    "growth",
)

COUNTER_FEATURES: tuple[str, ...] = tuple(COUNTER_RATE_PRIORS) + COUNTER_SIZES
"""From the content counters, as of the moment: the columns of `FeatureBatch.counters`."""

SERVED_LAYOUT = SlateLayout(
    person_ids=SHARED_ID_FEATURES,
    person_bags=SHARED_BAG_FEATURES,
    content_ids=tuple(name for name in CONTENT_ID_FEATURES if name not in FACT_IDS),
    num_person=NUM_USER_DENSE,
    num_pair=len(PAIR_DENSE_FEATURES),
    num_counters=len(COUNTER_FEATURES),
)
"""How impressions carry them all."""
