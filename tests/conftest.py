"""How all tests run: quick by default, thorough when asked, and little time spent beside the tests."""

from __future__ import annotations

import gc
import logging

import hypothesis

hypothesis.settings.register_profile("quick", max_examples=6, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=400, deadline=None)
hypothesis.settings.load_profile("quick")  # --hypothesis-profile=thorough asks for more


def pytest_configure() -> None:
    """Collect garbage seldom: among the objects of torch and scipy that takes longer than most tests."""
    gc.set_threshold(200_000, 50, 50)


def pytest_collection_finish() -> None:
    """Let the loggers of torch propagate: pytest attaches handlers to each that does not, thrice a test."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("torch") and isinstance(logger, logging.Logger):
            logger.propagate = True
