"""The commands that talk to a running system, and those that find none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from foryou.cli import app
from foryou.client import Client
from foryou.system import System
from tests.e2e.conftest import DEADLINE_SECONDS

pytestmark = pytest.mark.system
runner = CliRunner()


def state_of(system: System) -> str:
    return str(system.settings.services.state)


def last_line(output: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(output.strip().splitlines()[-1])
    return answer


def test_status_shows_every_part_of_a_running_system(system: System) -> None:
    shown = runner.invoke(app, ["status", "--state", state_of(system)])
    assert shown.exit_code == 0, shown.output
    for part in ("joiner", "learner", "counter-writer", "model", "shard-0", "shard-1"):
        assert part in shown.stdout
    told = last_line(runner.invoke(app, ["status", "--state", state_of(system), "--json"]).stdout)
    assert told["running"] is True
    assert told["ready"] is True


def test_an_imported_file_is_served(system: System, client: Client, tmp_path: Path) -> None:
    before = client.status()["replica"]["contents"]
    file = tmp_path / "contents.ndjson"
    lines = [
        {"content_id": f"imported-{n}", "creator_id": "importer", "category": "maps", "tags": ["a", "b"]}
        for n in range(50)
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    done = runner.invoke(app, ["content", "import", str(file), "--state", state_of(system), "--json"])
    assert done.exit_code == 0, done.output
    assert last_line(done.stdout)["contents"] == 50
    deadline = time.monotonic() + DEADLINE_SECONDS
    while client.status()["replica"]["contents"] < before + 50:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("contents.csv", "content_id,creator_id,colour\nc,k,red\n", "unknown columns"),
        ("contents.csv", "content_id\nc\n", "missing columns"),
        ("contents.csv", "content_id,creator_id,duration\nc,k,5\nd,k,-1\n", "row 2: metadata.duration"),
        ("contents.txt", "", "expected one of"),
    ],
)
def test_a_file_that_is_wrong_is_refused_whole(
    system: System, client: Client, tmp_path: Path, name: str, text: str, said: str
) -> None:
    before = client.status()["replica"]["contents"]
    (tmp_path / name).write_text(text)
    done = runner.invoke(app, ["content", "import", str(tmp_path / name), "--state", state_of(system)])
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")
    assert client.status()["replica"]["contents"] == before


def test_a_signal_while_it_starts_ends_all_that_was_started(tmp_path: Path) -> None:
    # Another system may run in this process: its flags for Ray's processes are not this one's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-m", "foryou", "up", "--state", str(tmp_path), "--port", "0"]
    up = psutil.Popen(command, env=inherited, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started: list[psutil.Process] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not any(name_of(process) == "raylet" for process in started):
        assert time.monotonic() < deadline, started
        assert up.poll() is None
        time.sleep(0.05)
        started = up.children(recursive=True)
    up.send_signal(signal.SIGTERM)
    assert up.wait(DEADLINE_SECONDS) != 0
    _, left = psutil.wait_procs(started, DEADLINE_SECONDS)
    assert not left


def name_of(process: psutil.Process) -> str:
    try:
        name: str = process.name()
    except psutil.NoSuchProcess:
        return ""
    return name


def test_without_a_system_commands_say_how_to_start_one(tmp_path: Path) -> None:
    shown = runner.invoke(app, ["status", "--state", str(tmp_path), "--json"])
    assert shown.exit_code == 3
    assert last_line(shown.stdout) == {"running": False}
    (tmp_path / "c.csv").write_text("content_id,creator_id\nc,k\n")
    done = runner.invoke(app, ["content", "import", str(tmp_path / "c.csv"), "--state", str(tmp_path)])
    assert done.exit_code == 2
    assert "foryou up" in done.output


def test_a_wrong_setting_or_data_set_ends_a_command_with_its_name(tmp_path: Path) -> None:
    config = tmp_path / "foryou.toml"
    config.write_text("[http]\nprot = 1\n")
    shown = runner.invoke(app, ["status", "--config", str(config)])
    assert shown.exit_code == 2
    assert "http.prot" in shown.output
    for arguments in (["netflix", "--path", "."], ["kuairand", "--path", str(tmp_path)]):
        assert runner.invoke(app, ["replay", *arguments, "--state", str(tmp_path)]).exit_code == 2


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    done = runner.invoke(app, ["doctor", "--state", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert last_line(done.stdout) == {"ok": True, "problems": {}}
