import numpy as np
import pytest

from learners.quarantine import KEEP, Quarantine, QuarantineSettings

SETTINGS = QuarantineSettings(max_consecutive=3)


def usual(quarantine: Quarantine, batches: int = 100, rows: int = 256) -> None:
    draws = np.random.default_rng(0)
    for loss in 0.6 + 0.5 / np.sqrt(rows) * draws.standard_normal(batches):
        assert quarantine.judge(float(loss), rows) == KEEP


def test_usual_batches_of_any_size_are_kept() -> None:
    quarantine = Quarantine(SETTINGS)
    usual(quarantine)
    usual(quarantine, batches=2_000, rows=1)
    usual(quarantine, batches=20, rows=1_024)
    assert quarantine.num_batches == 0


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_from_the_first_batch_on(loss: float) -> None:
    quarantine = Quarantine(SETTINGS)
    verdict = quarantine.judge(loss, 10)
    assert not verdict.keep
    assert str(loss) in verdict.reason
    assert (quarantine.num_batches, quarantine.num_rows) == (1, 10)


def test_a_spike_is_refused_with_its_numbers_and_the_next_batch_is_kept() -> None:
    quarantine = Quarantine(SETTINGS)
    usual(quarantine)
    verdict = quarantine.judge(4.0, 256)
    assert not verdict.keep
    assert verdict.reason.startswith("loss 4 over 256 rows; usual 0.")
    assert quarantine.judge(0.61, 256) == KEEP


def test_a_single_strange_row_is_no_spike() -> None:
    quarantine = Quarantine(SETTINGS)
    usual(quarantine)
    assert quarantine.judge(3.0, 1) == KEEP


def test_a_loss_that_stays_high_is_a_new_usual() -> None:
    quarantine = Quarantine(SETTINGS)
    usual(quarantine)
    kept = [quarantine.judge(4.0, 256).keep for _ in range(6)]
    assert kept == [False, False, False, True, True, True]
    assert quarantine.num_rows == 3 * 256


def test_before_the_warm_up_and_switched_off_spikes_pass() -> None:
    quarantine = Quarantine(SETTINGS)
    usual(quarantine, batches=2)
    assert quarantine.judge(9.0, 256) == KEEP
    off = Quarantine(QuarantineSettings(enabled=False))
    usual(off)
    assert off.judge(9.0, 256) == KEEP
    assert not off.judge(float("nan"), 256).keep
    assert off.judge(float("nan"), 0) == KEEP
