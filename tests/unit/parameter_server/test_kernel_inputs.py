"""In whatever form arrays come, a kernel is compiled once: compiling takes seconds, a pull must not."""

from __future__ import annotations

import numpy as np
import pytest

from messages.codec import pack, unpack
from messages.updates import PullRequest, RowGradients, Span, Update
from parameter_server import (
    counter_table,
    cuckoo_kernels,
    dense_optimizer,
    embedding_table,
    initializers,
    optimizers,
    recency,
    row_storage,
    update_checks,
)
from parameter_server.native_memory import kernel_input
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.warm_up import warm_up

KERNELS = (
    counter_table._add_counters,
    dense_optimizer._apply_dense,
    cuckoo_kernels.erase,
    cuckoo_kernels.find,
    cuckoo_kernels.insert_missing,
    cuckoo_kernels.rehash,
    embedding_table._fill_missing,
    initializers._fill_rows,
    optimizers._apply_rows,
    row_storage._read_ids,
    row_storage._clear,
    row_storage._touch_rows,
    row_storage.read_words,
    recency.link_by_time,
    recency.walk_newest,
    recency.walk_oldest,
    row_storage._write_words,
    update_checks._first_stray,
)


def arrays_from_everywhere() -> dict[str, np.ndarray]:
    own = np.arange(1, 9, dtype=np.uint64)
    read_only = own.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"." + own.tobytes(), dtype=np.uint64, offset=1)
    strided = np.repeat(own, 2)[::2]
    return {
        "own": own,
        "read-only": read_only,
        "unaligned": unaligned,
        "strided": strided,
        "wire": unpack(pack(own)),
    }


@pytest.mark.parametrize("form", arrays_from_everywhere())
def test_a_kernel_input_has_one_form(form: str) -> None:
    given = arrays_from_everywhere()[form]
    array = kernel_input(given, np.uint64)
    assert np.array_equal(array, np.arange(1, 9))
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert not array.flags.writeable


def test_an_array_that_is_fit_already_is_not_copied_and_stays_writable() -> None:
    own = np.arange(4, dtype=np.uint64)
    assert np.shares_memory(kernel_input(own, np.uint64), own)
    assert own.flags.writeable


def test_no_form_of_array_makes_a_kernel_compile_again_after_the_warm_up() -> None:
    warm_up()
    shard = ParameterShard(0, np.arange(256), "life")
    shard.create_group(
        "model", GroupSettings(slots={"user": SlotSettings(dimension=3)}, num_partitions=1), {}
    )
    for start, ids in enumerate(arrays_from_everywhere().values()):
        slopes = np.asfortranarray(np.ones((len(ids), 3), dtype=np.float32))
        update = Update(
            "model",
            0,
            {0: Span(start, start + 1, 1, 1.0, 1)},
            rows={"user": RowGradients(ids, slopes, np.ones(len(ids)))},
        )
        shard.apply_update(update)
        shard.pull(PullRequest("model", {"user": ids}))
        shard.deltas_since("model", 0, "life")
    for kernel in KERNELS:
        assert len(kernel.signatures) == 1, kernel
