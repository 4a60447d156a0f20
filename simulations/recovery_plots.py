"""The pictures of a recovery: the curve it is read off, and how long it took."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import PercentFormatter

from simulations.policy_pictures import LOOKS, new_figure, save_bars
from simulations.recovery import RECOVERED, STEP, Recoveries
from simulations.simulated_feeds import REFITS

_SHOWN = 2_000


def save_recovery_plots(recoveries: Recoveries, world: str, folder: Path) -> dict[str, str]:
    """Write the curve after a jump and the bars; returns titles by file name. world: of the preset's name."""
    windows = [after.window for after in recoveries.after.values()]
    rests_on = f"mean over all jumps and seeds, and over {max(windows, default=0)} contents in a row of each"
    written = {"recovery.png": "Recovery"}
    save_bars(
        recoveries.own_level,
        folder / "recovery.png",
        f"{world}: how soon a feed is back after a jump of tastes",
        f"interactions until the share viewed is at {RECOVERED:.0%} of the feed's own level before the jump"
        f"\n({rests_on})",
        shape=",.0f",
        least=0.0,
    )
    if recoveries.online_level:
        written["recovery_to_online.png"] = "Recovery to the level of online"
        save_bars(
            recoveries.online_level,
            folder / "recovery_to_online.png",
            f"{world}: how soon a feed is where online was before a jump of tastes",
            f"interactions until the share viewed is at {RECOVERED:.0%} of online's level before the jump"
            f"\n({rests_on}; pale: never within so many)",
            shape=",.0f",
            least=0.0,
            beyond=recoveries.never,
        )
    if recoveries.after:
        written["after_jump.png"] = "After a jump"
        _save_curve(recoveries, world, folder / "after_jump.png", rests_on)
    return written


def _save_curve(recoveries: Recoveries, world: str, path: Path, rests_on: str) -> None:
    """Draw the feeds that learn a model, all where there are none: a dozen lines would hide each other."""
    learned = [name for name in recoveries.after if name == "online" or name in REFITS]
    figure, axes = new_figure(f"{world}: what is viewed after a jump of tastes")
    for name, (label, colour, width, style) in LOOKS.items():
        if name not in (learned or recoveries.after):
            continue
        after = recoveries.after[name]
        curve = after.curves(np.ones((1, len(after.shown))))[0, : _SHOWN // STEP]
        axes.plot(
            (np.arange(len(curve)) + 1) * STEP, curve, style, color=colour, linewidth=width, label=label
        )
    if "online" in recoveries.after:
        after = recoveries.after["online"]
        level = RECOVERED * float(after.levels(np.ones((1, len(after.shown))))[0])
        label = f"{RECOVERED:.0%} of online's level before"
        axes.axhline(level, color="#444444", linestyle=":", linewidth=1.2, label=label)
    axes.set_xlim(0, _SHOWN)
    axes.set_xlabel(f"interactions since the jump ({rests_on})")
    axes.set_ylabel("share of shown contents that were viewed")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, metadata={"Software": None})
