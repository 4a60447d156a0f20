"""A running system archives what it learns, and a model trained on that stands where the archive ends."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from actors.archive_files import ArchiveFiles
from actors.archive_reader import examples_end, read_examples
from foryou.client import Client
from foryou.system import System
from foryou.train_command import TrainError, label_of_stream, run_train_command
from messages.identifiers import key_of
from simulations.archive_training import train_on_archive
from tests.e2e.conftest import DEADLINE_SECONDS, Person, wait_until_learned

pytestmark = pytest.mark.system


def test_what_people_do_is_archived_and_trained_on(system: System, client: Client, tmp_path: Path) -> None:
    person = Person("archived-person", "chess", client)
    wait_until_learned(client, person.scroll()["positions"])
    assert system.settings.archive.uri is not None
    files = ArchiveFiles(system.settings.archive.uri)
    key = key_of(person.user_id)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds(files, key):
        assert time.monotonic() < deadline, system.actors.status()["archive"]
        time.sleep(0.2)
    assert asyncio.run(label_of_stream(system.endpoints)) == examples_end(files).stream
    settings = system.settings
    trained = train_on_archive(files, settings.training, num_partitions=settings.num_partitions)
    trained.write_snapshot(tmp_path, goes_on=True)
    standing = trained.learner.shard.states()
    assert trained.rows == sum(trained.end.examples.values())
    assert np.isin(key, standing[trained.learner.group].slots["user"].ids)


def holds(files: ArchiveFiles, user_key: int) -> bool:
    if not files.list("examples"):
        return False
    return any((message.batch.user_keys == user_key).any() for message in read_examples(files))


def test_a_running_system_keeps_its_snapshots_to_itself(system: System) -> None:
    with pytest.raises(TrainError, match="--snapshots"):
        run_train_command(system.settings)
