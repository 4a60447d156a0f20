"""The same seed gives the same simulation: twice in one process, and in processes of their own."""

import json
from pathlib import Path

from foryou.simulate_command import run_simulate_command
from simulations.presets import PRESETS
from simulations.simulation import simulate


def test_the_same_seed_gives_the_same_report_to_the_last_byte(tmp_path: Path) -> None:
    def run(folder: str) -> dict[str, bytes]:
        run_simulate_command(
            "drift",
            against="popular,online",
            people=8,
            duration="6h",
            steps=60,
            report=tmp_path / folder,
        )
        return {path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())}

    first, second = run("first"), run("second")
    assert first == second
    assert {"index.html", "report.json", "gap_closed.png", "engagement.png", "recovery.png"} <= set(first)
    assert json.loads(first["report.json"])["gap_closed"]["oracle"] == 1


def test_copies_in_processes_of_their_own_give_the_same() -> None:
    preset = PRESETS["drift"].with_size(people=24).model_copy(update={"hours": 2.0})
    reports = [simulate(preset, against=["popular"], processes=count).report() for count in (1, 2)]
    assert reports[0] == reports[1]
