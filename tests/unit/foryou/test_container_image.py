"""The image holds every package that the project has, and does not run as root."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def instructions() -> list[list[str]]:
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def copies() -> set[str]:
    found = [words[1:-1] for words in instructions() if words[0] == "COPY" and "--from=build" not in words]
    return {source for sources in found for source in sources}


def test_every_package_is_copied_and_everything_copied_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= copies()
    assert all((ROOT / source).exists() for source in copies())


def test_the_image_does_not_run_as_root_and_installs_torch_for_the_cpu() -> None:
    last = {words[0]: words[1:] for words in instructions()}
    assert last["USER"] == ["1000"]
    assert any("whl/cpu" in word for words in instructions() for word in words)


def test_what_is_left_out_of_the_build_is_not_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not copies() & set(ignored)
    assert {".git", ".venv", ".foryou"} <= set(ignored)
