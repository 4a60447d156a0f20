"""What `foryou weights` makes of its arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from foryou.settings import load_settings
from foryou.weights_command import WeightsError, parsed_weights, run_weights_show


def test_weights_are_read_from_signal_and_number() -> None:
    assert parsed_weights(["share=2.5", " negative =-12"]) == {"share": 2.5, "negative": -12.0}


@pytest.mark.parametrize("change", ["share", "share=", "share=much", "2.5"])
def test_what_is_no_weight_is_named(change: str) -> None:
    with pytest.raises(WeightsError, match="expected SIGNAL=WEIGHT"):
        parsed_weights([change])


def test_nothing_named_says_how() -> None:
    with pytest.raises(WeightsError, match="at least one"):
        parsed_weights([])


def test_with_nothing_running_it_says_what_to_start(tmp_path: Path) -> None:
    settings = load_settings(flags={"services": {"state": str(tmp_path / "none")}}, environment={})

    with pytest.raises(WeightsError, match="foryou up"):
        run_weights_show(settings)
