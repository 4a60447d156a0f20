"""How often Python's garbage collector runs in an actor that holds much: between many objects, not few.

A joiner keeps ten minutes of impressions, a learner a stream's backlog: none of it is garbage, and all of it
is looked through again and again at the collector's usual thresholds (a third of a joiner's time, in pauses
of tens of milliseconds). Reference counts free nearly everything; what is left are the cycles of finished
tasks and errors, few and young.
"""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 50_000
_YOUNG_COLLECTIONS = 5
_MIDDLE_COLLECTIONS = 50


def pace_collector() -> None:
    """Never look again through what is imported by now, and seldom through what is kept.

    Of the whole process; a second call changes nothing.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_COLLECTIONS, _MIDDLE_COLLECTIONS)
