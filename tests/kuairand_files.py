"""A small log in KuaiRand's official layout, of people whose tastes are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulations.behaviour import Viewer
from simulations.world import World, WorldSettings

START_MS = 1_650_000_000_000
LOG_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)
VIDEO_HEADER = "video_id,author_id,video_type,upload_dt,upload_type,music_id,tag"
NUM_ROWS = 3_000


def write_log(folder: Path, *, shuffled: bool = False) -> Path:
    """Let people of a known world watch at random and write it down as KuaiRand does.

    shuffled: outcomes go to other rows, long views with them as they were judged where they happened (by the
    duration of the row they come to they could be foretold), so that nothing can be learned.
    """
    world = World(WorldSettings(num_people=60, num_contents=500, num_creators=40, seed=9))
    draws = np.random.default_rng(1)
    people = draws.integers(60, size=NUM_ROWS)
    videos = draws.integers(500, size=NUM_ROWS)
    times = START_MS + np.sort(draws.integers(0, 6 * 3_600_000, size=NUM_ROWS))
    viewers = [Viewer(world, person) for person in range(60)]
    slates = [
        viewers[person].watch(np.array([video]), 0.0) for person, video in zip(people, videos, strict=True)
    ]
    outcomes = [
        (bool(slate.viewed[0]), float(slate.watch_seconds[0]), min(world.contents.durations[video], 18.0))
        for slate, video in zip(slates, videos, strict=True)
    ]
    if shuffled:
        outcomes = [outcomes[place] for place in draws.permutation(NUM_ROWS)]
    lines = [LOG_HEADER]
    for person, video, time, (viewed, seconds, enough) in zip(people, videos, times, outcomes, strict=True):
        duration = world.contents.durations[video]
        long_view = viewed and seconds >= enough
        flags = f"{int(viewed)},0,0,0,0,0,{int(long_view)}"
        lines.append(
            f"{person},{video},20220415,0,{time},{flags},{round(seconds * 1e3)},{round(duration * 1e3)},"
            "0,0,0,0,1"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log_standard_4_08_to_4_21_1k.csv").write_text("\n".join(lines) + "\n")
    contents = world.contents
    rows = [
        f"{video},{contents.creators[video] + 1},NORMAL,2022-04-10,Kmovie,{contents.audio[video] + 1},"
        f"{contents.topics[video]}"
        for video in range(500)
    ]
    (folder / "video_features_basic_1k.csv").write_text("\n".join([VIDEO_HEADER, *rows]) + "\n")
    return folder
