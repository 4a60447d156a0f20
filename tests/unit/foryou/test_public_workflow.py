"""The workflow of a public forge calls the one script of continuous integration, and options that exist."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from foryou.cli import app

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())["jobs"]
    return found


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def test_the_check_is_the_script_that_anyone_can_run(jobs: dict[str, Any]) -> None:
    assert commands(jobs["check"]).strip() == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_ratios_of_base_and_head_are_compared_and_a_fifth_is_too_much(jobs: dict[str, Any]) -> None:
    said = commands(jobs["ratios"])
    assert "simulations.benchmarks.ratio_comparison" in said
    assert "--loss 0.2" in said
    (options,) = re.findall(r"foryou bench table (.*) > ", said)
    help_text = CliRunner().invoke(app, ["bench", "table", "--help"]).output
    for option in re.findall(r"--\w+", options):
        assert option in help_text


def test_the_image_is_asked_for_its_health(jobs: dict[str, Any]) -> None:
    assert "/v1/health" in commands(jobs["image"])
