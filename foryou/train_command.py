"""`foryou train`: a model from the archive, as a snapshot from which the stream goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from actors.archive_files import ArchiveError, ArchiveFiles, stream_label
from actors.connections import Connections, EndpointSettings
from foryou.borrowed_services import borrowed_streams
from foryou.local_services import StateFolder
from foryou.ray_session import ray_session
from foryou.running_endpoints import endpoints_of
from foryou.settings import SystemSettings
from foryou.system_plan import snapshot_root
from parameter_server.snapshot_files import SnapshotRootError
from simulations.initial_embeddings import InitialMethod


class TrainError(ValueError):
    """Training cannot be run as asked; the text says why."""


def run_train_command(
    settings: SystemSettings,
    *,
    archive: str | None = None,
    epochs: int = 1,
    batch_rows: int = 256,
    initial: InitialMethod = "none",
    snapshots: str | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on an archive (`archive.uri` where not named), write a snapshot, and report flat.

    snapshots: where to write; the system's own place where left out, from which the next `foryou up` begins.
    Raises TrainError.
    """
    uri = archive or settings.archive.uri
    if uri is None:
        raise TrainError("--archive: name a folder or URI, or set archive.uri")
    if epochs < 1:
        raise TrainError("--epochs: at least one pass")
    running = StateFolder(settings.services.state).find_running()
    if running is not None and snapshots is None:
        raise TrainError(
            f"a system runs on {settings.services.state} and writes its own snapshots: stop it, or give "
            f"--snapshots a place of its own"
        )
    started = time.monotonic()
    try:
        files = ArchiveFiles(uri if "://" in uri else Path(uri).resolve())
        with borrowed_streams(settings) as streams, ray_session(settings), threadpool_limits(1):
            from simulations.archive_training import TrainingRefusedError, train_on_archive

            try:
                trained = train_on_archive(
                    files,
                    settings.training,
                    num_partitions=settings.num_partitions,
                    epochs=epochs,
                    batch_rows=batch_rows,
                    initial=initial,
                    seed=seed,
                    say=say,
                )
            except TrainingRefusedError as error:
                raise TrainError(str(error)) from error
            label = asyncio.run(label_of_stream(endpoints_of(settings, streams.nats_url, streams.store_url)))
            goes_on = label == trained.end.stream
            location = trained.write_snapshot(
                snapshots or snapshot_root(settings), goes_on=goes_on, keep=settings.shards.snapshots_kept
            )
    except (ArchiveError, SnapshotRootError) as error:
        raise TrainError(str(error)) from error
    first, *later = trained.aucs
    return {
        "archive": uri,
        "snapshot": location,
        "goes_on_after_archive": goes_on,
        "epochs": epochs,
        "examples": trained.rows,
        "rows_learned": trained.learner.num_rows,
        "rows_quarantined": trained.learner.num_quarantined,
        "initial_rows": trained.initial_rows,
        **{f"auc_{name}": auc for name, auc in first.items()},
        **{
            f"seen_before_auc_{name}_pass_{number}": auc
            for number, aucs in enumerate(later, start=2)
            for name, auc in aucs.items()
        },
        "seconds": round(time.monotonic() - started, 1),
    }


async def label_of_stream(endpoints: EndpointSettings) -> str | None:
    """Return what the archive calls a system's EXAMPLES stream; None where there is none yet."""
    from nats.js.errors import NotFoundError

    async with await Connections.open(endpoints, "train") as connections:
        try:
            info = await connections.js.stream_info(connections.namespace.examples_stream)
        except NotFoundError:
            return None
        created: Any = info.created
        return stream_label(endpoints.namespace, created)
