"""Impressions from FEED, checked so far that nothing downstream can stumble over one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from learners.feature_shape import FeatureShape, check_column
from messages.codec import MalformedMessageError
from messages.events import MAX_ID_LENGTH, InvalidEventError
from messages.impressions import Impression, ModelVersion, RequestContext, features_from_wire
from messages.shown_contents import NO_NAMES, contents_from_wire

_FLOATS = np.dtype(np.float32)
_DOUBLES = np.dtype(np.float64)
_KEYS = np.dtype(np.uint64)
_OFFSETS = np.dtype(np.int64)

MAX_PROFILE_FIELDS = 64

_BREAKS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
"""What a map of the wrong shape makes of a decoder that trusts it."""


def clean_impression(raw: object, shape: FeatureShape) -> Impression:
    """Decode the wire map of an impression. Raises InvalidEventError naming the field that breaks it."""
    if not isinstance(raw, Mapping):
        raise InvalidEventError("", "an impression is a map")
    try:
        impression = Impression.from_wire(raw, with_names=False)
        _check(impression, shape)
    except InvalidEventError:
        raise
    except _BREAKS as error:
        raise _named(raw, error) from error
    return impression


def _check(impression: Impression, shape: FeatureShape) -> None:
    for name, identifier in (("request_id", impression.request_id), ("user_id", impression.user_id)):
        if type(identifier) is not str or not 0 < len(identifier) <= MAX_ID_LENGTH:
            raise InvalidEventError(name, f"must be a text of 1 to {MAX_ID_LENGTH} letters")
    if not 0 < impression.timestamp < 1e11:
        raise InvalidEventError("timestamp", "must be epoch seconds")
    if type(impression.arm) is not str or type(impression.model.model_id) is not str:
        raise InvalidEventError("arm", "arm and model id must be texts")
    num_contents = len(impression)
    if num_contents == 0:
        raise InvalidEventError("contents", "an impression shows something")
    contents = impression.contents
    check_column("contents.audio_keys", contents.audio_keys, _KEYS, (num_contents,))
    check_column("contents.language_keys", contents.language_keys, _KEYS, (num_contents,))
    check_column("contents.durations", contents.durations, _FLOATS, (num_contents,))
    check_column("contents.upload_times", contents.upload_times, _DOUBLES, (num_contents,))
    if contents.audio_uses is not None:
        check_column("contents.audio_uses", contents.audio_uses, _OFFSETS, (num_contents,))
    check_column("contents.tags", contents.tags.values, _KEYS, (len(contents.tags.values),))
    check_column("contents.tags", contents.tags.offsets, _OFFSETS, (num_contents + 1,))
    check_column("propensities", impression.propensities, _FLOATS, (num_contents,))
    check_column("scores", impression.scores, _FLOATS, (num_contents,))
    if len(contents.creator_keys) != num_contents or len(contents.category_keys) != num_contents:
        raise InvalidEventError("contents", "columns differ in length")
    if impression.profile is not None and not _is_profile(impression.profile):
        raise InvalidEventError("profile", f"must be a map of at most {MAX_PROFILE_FIELDS} short texts")
    if impression.features is not None:
        shape.check(impression.features, num_contents)


def _is_profile(profile: object) -> bool:
    if not isinstance(profile, Mapping) or len(profile) > MAX_PROFILE_FIELDS:
        return False
    for name, value in profile.items():
        if type(name) is not str or type(value) is not str or len(name) + len(value) > MAX_ID_LENGTH:
            return False
    return True


def _named(raw: Mapping[str, Any], error: Exception) -> InvalidEventError:
    """Find the field on which decoding broke, by decoding each alone."""
    decoders: dict[str, Callable[[Any], object]] = {
        "timestamp": float,
        "model": ModelVersion.from_wire,
        "context": RequestContext.from_wire,
        "contents": lambda wire: contents_from_wire(wire, NO_NAMES),
        "propensities": lambda values: np.asarray(values, dtype=np.float32),
        "scores": lambda values: np.asarray(values, dtype=np.float32),
        "features": features_from_wire,
    }
    names = "sources" if "sources" in raw else "names"
    for name in ("request_id", "user_id", "arm", names, *decoders):
        if name not in raw:
            return InvalidEventError(name, "Field required")
    for name, decode in decoders.items():
        try:
            decode(raw[name])
        except MalformedMessageError as broken:
            return InvalidEventError(name, str(broken))
        except _BREAKS as broken:
            return InvalidEventError(name, f"malformed ({type(broken).__name__}: {broken})")
    return InvalidEventError("", f"malformed ({type(error).__name__}: {error})")
