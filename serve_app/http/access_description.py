"""Keys, refusals and errors as the OpenAPI page describes them, the same for every call."""

from __future__ import annotations

from typing import Any

from serve_app.http.access_control import Role, role_needed
from serve_app.http.answers import Problem

_EVERYWHERE = {
    "400": "The body is no text that can be read.",
    "401": "Keys are asked for, and this call had none that is known.",
    "403": "The key may not do this.",
    "404": "There is nothing under this path.",
    "413": "The body is too large.",
    "429": "Too many requests are under way, or the key calls too often; try after Retry-After seconds.",
    "503": "Store or broker is away; try again after Retry-After seconds.",
}


def describe_access(schema: dict[str, Any]) -> None:
    """Add keys and the answers that middlewares give. schema: an OpenAPI document, changed in place."""
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):  # the framework's own form of a 422
        schemas.pop(unused, None)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            role = role_needed(method.upper(), path, keys_asked=True)
            if role is not Role.ANYBODY:
                operation["security"] = [{"bearer": []}, {"key": []}, {}]
            answers = operation.setdefault("responses", {})
            for status, description in _EVERYWHERE.items():
                answers.setdefault(status, {"description": description})
            for status, answer in answers.items():
                if status.startswith(("4", "5")) and path != "/v1/health":
                    answer["content"] = content
