"""What a replayed impression's features need of the person, kept until a row is made of it.

Assembling the features of one content costs numpy some forty small calls. So the joiner takes down, at the
impression, only the plain numbers that will have changed later, and `learners/features/row_assembly.py` makes
features of many such snapshots at once when rows are released.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np

from learners.features.schema import MAX_HISTORY, NUM_USER_DENSE, SHARED_ID_FEATURES
from learners.features.user_features import (
    preferred_category_keys,
    profile_traits,
    user_dense_values,
    user_ids,
)
from learners.packed_keys import pack_keys
from learners.user_state import UserState
from messages.codec import MalformedMessageError
from messages.content import ContentColumns
from messages.impressions import RequestContext

MARK = b"S"
"""First byte of the encoded form: packed features never begin with it."""

PERSON_DTYPE = np.dtype(
    [
        ("now", "<f8"),
        ("terminals", "<f8"),
        ("ids", "<u8", (len(SHARED_ID_FEATURES),)),
        ("dense", "<f4", (NUM_USER_DENSE,)),
    ]
)
PAIR_DTYPE = np.dtype(
    [("category", "<f8", (5,)), ("creator", "<f8", (5,)), ("latest", "<f8", (5,)), ("flags", "u1", (6,))]
)
"""The person's packed rates of the content's category and creator, and the category's latest; flags: each of
the first two known, creator followed, content in history, content liked, the third known."""

_PERSON = struct.Struct(f"<2d{len(SHARED_ID_FEATURES)}Q{NUM_USER_DENSE}f")
_PAIR = struct.Struct("<40s40s40s6B")
_LENGTHS = struct.Struct("<4H")
_NOTHING = bytes(40)


@dataclass(frozen=True, slots=True)
class PersonSnapshot:
    """One person beside the n contents of one slate, as of the moment before it, in packed bytes.

    person: one PERSON_DTYPE. history, preferred, traits: uint64 keys. pairs: n of PAIR_DTYPE.
    """

    person: bytes
    history: bytes
    preferred: bytes
    traits: bytes
    pairs: bytes

    def pair(self, place: int) -> bytes:
        return self.pairs[place * _PAIR.size : (place + 1) * _PAIR.size]

    def to_bytes(self) -> bytes:
        lengths = _LENGTHS.pack(len(self.history), len(self.preferred), len(self.traits), len(self))
        return b"".join((MARK, lengths, self.person, self.history, self.preferred, self.traits, self.pairs))

    def __len__(self) -> int:
        """Contents in the slate."""
        return len(self.pairs) // _PAIR.size

    @classmethod
    def from_bytes(cls, data: bytes) -> PersonSnapshot:
        """Decode what `to_bytes` made. Raises MalformedMessageError."""
        try:
            *lengths, num_pairs = _LENGTHS.unpack_from(data, len(MARK))
        except struct.error as error:
            raise MalformedMessageError(f"not a snapshot of a person: {error}") from error
        parts = []
        start = len(MARK) + _LENGTHS.size
        for length in (_PERSON.size, *lengths, num_pairs * _PAIR.size):
            parts.append(data[start : start + length])
            start += length
        if start != len(data) or not data.startswith(MARK):
            raise MalformedMessageError("not a snapshot of a person: lengths do not add up")
        return cls(*parts)


def take_snapshot(
    state: UserState,
    profile: Mapping[str, Any] | None,
    context: RequestContext,
    contents: ContentColumns,
    now: float,
) -> PersonSnapshot:
    """Take down what `assemble` would read of the state for these contents. now: epoch seconds."""
    history, liked, followed = state.engagements, state.liked_contents, state.followed_creators
    engaged = [key for key, viewed in history.items() if viewed]
    categories, creators, latest = state.categories, state.creators, state.latest_categories

    def pair(content_key: int, creator_key: int, category_key: int) -> bytes:
        category, creator = categories.packed(category_key), creators.packed(creator_key)
        category_latest = latest.packed(category_key)
        return _PAIR.pack(
            category or _NOTHING,
            creator or _NOTHING,
            category_latest or _NOTHING,
            category is not None,
            creator is not None,
            creator_key in followed,
            content_key in history,
            content_key in liked,
            category_latest is not None,
        )

    keys = zip(
        contents.content_keys.tolist(),
        contents.creator_keys.tolist(),
        contents.category_keys.tolist(),
        strict=True,
    )
    return PersonSnapshot(
        person=_PERSON.pack(
            now,
            state.overall.terminals,
            *user_ids(state, context, now).values(),
            *user_dense_values(state, context, now),
        ),
        history=pack_keys(engaged[-MAX_HISTORY:]),
        preferred=pack_keys(preferred_category_keys(state)),
        traits=profile_traits(profile).tobytes(),
        pairs=b"".join(starmap(pair, keys)),
    )
