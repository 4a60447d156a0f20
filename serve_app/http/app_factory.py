"""Puts the HTTP API together over a service. Build it in the process that serves: an app does not pickle."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from messages.events import Event
from messages.identifiers import IdClashError
from serve_app.feed_service import FeedService
from serve_app.http.access_control import AccessControl
from serve_app.http.access_description import describe_access
from serve_app.http.api_settings import ApiSettings
from serve_app.http.body_limit import BodyLimit
from serve_app.http.content_routes import content_routes
from serve_app.http.event_routes import event_routes
from serve_app.http.feed_routes import add_feed_route
from serve_app.http.json_answers import invalid_request, problem, refused
from serve_app.http.load_shedding import LoadShedding, RequestRoom
from serve_app.http.model_routes import model_routes
from serve_app.http.operations_routes import operations_routes
from serve_app.http.request_metrics import RequestMetrics
from serve_app.http.user_routes import user_routes
from serve_app.http.weight_routes import weight_routes
from serve_app.model_operations import ModelOperations
from serve_app.weight_service import WeightService

UNAVAILABLE: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)
"""What the ports raise when broker or store is away, or the stream is full."""

_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""`RequestMetrics` counts and times requests; FastAPI would look at each whether OpenTelemetry is set up."""

_DESCRIPTION = """
A For-You feed that learns while people scroll.

1. `PUT /v1/content/{content_id}` for every content there is.
2. `GET /v1/feed/{user_id}` for a feed. Keep its `request_id`.
3. `POST /v1/events` for what the person did with it: the next feed knows, a fraction of a second later.
"""


def create_app(
    service: FeedService,
    settings: ApiSettings | None = None,
    unavailable: tuple[type[Exception], ...] = UNAVAILABLE,
    weights: WeightService | None = None,
    models: ModelOperations | None = None,
) -> FastAPI:
    """Return the app. unavailable: the errors that mean "try again", answered with 503 and Retry-After.
    weights: where there is one, the routes that show, set and try the table of weights; models: the same, of
    the registry of models."""
    settings = settings or ApiSettings()
    app = FastAPI(
        title="foryou",
        description=_DESCRIPTION,
        version="1",
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        telemetry=_NO_TELEMETRY,
    )
    add_feed_route(app, service, settings)
    for router in (
        event_routes(service, settings),
        content_routes(service),
        user_routes(service),
        operations_routes(service),
    ):
        app.include_router(router)
    if weights is not None:
        app.include_router(weight_routes(weights))
    if models is not None:
        app.include_router(model_routes(models))
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(
        LoadShedding,
        room=RequestRoom(settings.max_wait_seconds, settings.max_under_way),
        retry_after_seconds=settings.retry_after_seconds,
        shed=service.metrics.shed,
    )
    app.add_middleware(AccessControl, settings=settings.access)
    app.add_middleware(RequestMetrics, metrics=service.metrics)
    if settings.cors_origins:
        # Outside of all others: a browser asks without a key, and must be able to read refusals.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type"],
            expose_headers=["Retry-After"],
        )
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, refused)

    async def try_again(_request: Request, error: Exception) -> Response:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return problem(503, "", reason, {"Retry-After": str(settings.retry_after_seconds)})

    async def clash(_request: Request, error: Exception) -> Response:
        return problem(409, "", str(error))

    for kind in unavailable:
        app.add_exception_handler(kind, try_again)
    app.add_exception_handler(IdClashError, clash)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    """Name an operation as its function is: what a generated client calls its method."""
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Add the events' own schemas, which are validated outside of FastAPI for speed."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        event = TypeAdapter(Event).json_schema(ref_template="#/components/schemas/{model}")
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(event.pop("$defs"))
        schemas["Event"] = event
        describe_access(schema)
        app.openapi_schema = schema
    return app.openapi_schema
