"""One copy of a world under one feed, from the first visit to the end of its time.

Copies have the same people, contents and luck; what a good feed changes is what people view, how long they
stay and when they come back. Events of one copy are in the order of the world's time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from messages.arrays import DoubleArray, IntArray
from simulations.arm_record import ArmRecord
from simulations.attendance import Attendance
from simulations.behaviour import Viewer
from simulations.bots import Bot, population
from simulations.dynamics import HOUR
from simulations.presets import Preset
from simulations.simulated_feeds import START_TIME, SimulatedFeed
from simulations.world import World

_TOLD_EVERY = 20


def run_copy(
    preset: Preset,
    world: World,
    feed: SimulatedFeed,
    *,
    max_interactions: int | None = None,
    with_bots: bool = True,
    advance: Callable[[float], None] = lambda _: None,
) -> ArmRecord:
    """Let the world run its hours, or until so many contents were shown to people.

    advance: told now and then how far it is, in [0, 1].
    """
    record = ArmRecord(world, preset.hours)
    end = preset.hours * HOUR
    viewers = population(world)
    activity = world.people.activity
    attendances = [
        Attendance(preset.attendance, world.settings.seed, person, float(activity[person]))
        for person in range(len(viewers))
    ]
    arrivals = world.dynamics.arrivals(len(viewers))
    visits = [
        (attendances[viewer.person].first_visit(float(arrivals[viewer.person])), viewer.person, True)
        for viewer in viewers
        if with_bots or not isinstance(viewer, Bot)
    ]
    heapq.heapify(visits)
    num_slates = 0
    while visits:
        moment, person, new_session = heapq.heappop(visits)
        if moment >= end or (max_interactions is not None and record.num_interactions >= max_interactions):
            break
        viewer, attendance = viewers[person], attendances[person]
        is_person = not isinstance(viewer, Bot)
        viewer.moment = moment
        if new_session:
            viewer.start_session()
            if is_person:
                record.session(moment)
        next_moment, goes_on = _visit(preset, world, feed, viewer, attendance, record)
        heapq.heappush(visits, (next_moment, person, not goes_on))
        num_slates += 1
        if num_slates % _TOLD_EVERY == 0:
            by_count = record.num_interactions / max_interactions if max_interactions else 0.0
            advance(min(1.0, max(moment / end, by_count)))
    advance(1.0)
    return record


def _visit(
    preset: Preset,
    world: World,
    feed: SimulatedFeed,
    viewer: Viewer,
    attendance: Attendance,
    record: ArmRecord,
) -> tuple[float, bool]:
    """Serve, watch and tell one slate; return when the person is next here, and if the session goes on."""
    contents, request_id = feed.serve(viewer, preset.slate)
    is_person = not isinstance(viewer, Bot)
    best, own = None, 0.0
    if is_person and len(contents) and record.wants_regret():
        best, own = _truth(world, viewer, contents)
    watched = viewer.watch(contents, START_TIME + viewer.moment, request_id)
    if is_person:
        record.slate(viewer, contents, watched, best, own)
    feed.tell(viewer, contents, watched)
    between = preset.attendance.seconds_between * len(contents)
    seconds = float(watched.watch_seconds.sum()) + between if is_person else HOUR / 12
    leaves = attendance.leaves_after(watched.pleasure) or not len(contents)
    if leaves:
        return viewer.moment + seconds + attendance.gap_seconds(), False
    return viewer.moment + seconds, True


def _truth(world: World, viewer: Viewer, contents: IntArray) -> tuple[DoubleArray, float]:
    """Return the chances of a view, mood and boredom aside, of the best contents there are, and their mean
    for the slate that was served; what the person has seen before is not left out of the best."""
    there = np.flatnonzero(world.uploaded(viewer.moment))
    chances = world.true_engagement_probability(viewer.person, there, viewer.moment)
    count = min(len(contents), len(chances))
    best = np.partition(chances, len(chances) - count)[len(chances) - count :]
    own = world.true_engagement_probability(viewer.person, contents, viewer.moment)
    return best, float(own.mean())
