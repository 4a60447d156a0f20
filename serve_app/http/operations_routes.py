"""Health, status and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from serve_app.feed_service import FeedService
from serve_app.http.json_answers import json_answer
from serve_app.http.operations_answers import Health, Status


def operations_routes(service: FeedService) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(
        "/v1/health",
        summary="Can this replica serve?",
        responses={
            200: {"model": Health},
            503: {"model": Health, "description": "Not ready; `reasons` says why."},
        },
    )
    async def get_health() -> Response:
        """Answer 200 when ready. A stale model is a warning and no reason: it serves on with what it has."""
        health = service.health()
        return json_answer(health, 200 if health["ready"] else 503)

    @router.get("/v1/status", summary="What this replica serves with", responses={200: {"model": Status}})
    async def get_status() -> Response:
        """Model version and age, positions learned by partition, rows and bytes by table."""
        return json_answer(service.status())

    @router.get("/metrics", summary="Metrics in Prometheus' text format", response_class=PlainTextResponse)
    async def get_metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
