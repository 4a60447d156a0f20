"""How many contents have an audio, whatever was put, put anew and removed."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from messages.identifiers import MISSING_KEY
from serve_app.audio_uses import AudioUses

AUDIOS = st.sampled_from([MISSING_KEY, 11, 12, 13])


@given(st.lists(st.dictionaries(st.integers(0, 300), AUDIOS, min_size=1, max_size=6), max_size=8))
def test_uses_are_those_of_what_the_contents_have_now(changes: list[dict[int, int]]) -> None:
    uses, has = AudioUses(), {}
    for change in changes:
        uses.put(np.array(list(change)), np.array(list(change.values()), dtype=np.uint64))
        has |= change
        counts = Counter(audio for audio in has.values() if audio != MISSING_KEY)
        assert uses.of(np.array(list(has))).tolist() == [counts[audio] for audio in has.values()]
