"""The API over fakes, with and without anything to serve."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serve_app.model_replica import ModelReplica
from tests.api_over_fakes import Api, catalogue_api
from tests.fakes import empty_replica


@pytest.fixture
def api() -> Api:
    """A catalogue of 30 contents, the last scoring highest."""
    return catalogue_api()


@pytest.fixture
def make_api() -> Callable[[ModelReplica], Api]:
    return Api


@pytest.fixture
def empty_api() -> Api:
    """No model and no content yet."""
    return Api(empty_replica())
