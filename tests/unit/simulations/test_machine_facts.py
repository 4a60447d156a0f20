"""What a figure depends on besides what is measured is told with it."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from simulations.benchmarks.machine_facts import PACKAGES, commit_of, machine_facts


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *author, *arguments], check=True, capture_output=True)


def test_the_machine_its_versions_and_its_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    facts = machine_facts()

    assert {"processor", "memory_gib", "kernel", "python", "load_at_start", "commit"} <= facts.keys()
    assert facts["cores"] >= facts["cores_usable"] >= 1
    assert all(facts[package] for package in PACKAGES)
    assert (facts["openblas_coretype"], facts["omp_num_threads"]) == ("Haswell", "")
    assert datetime.fromisoformat(facts["date"]).utcoffset() is not None
    json.dumps(facts)


def test_the_commit_is_that_of_the_checkout_the_code_is_in(tmp_path: Path) -> None:
    source = tmp_path / "code.py"
    source.write_text("one")
    assert commit_of(source) == ""
    git(tmp_path, "init")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-m", "first")

    commit = commit_of(source)
    assert len(commit) == 40
    source.write_text("two")
    assert commit_of(source) == f"{commit} and changes"

    installed = tmp_path / "environment.py"  # lies in the checkout, and is none of it
    installed.write_text("")
    assert commit_of(installed) == ""
