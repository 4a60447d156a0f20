"""What may be asked of a feed, checked in one go and described for the OpenAPI page.

FastAPI checks each parameter apart, which takes a good tenth of a millisecond a request; one model takes some
microseconds and gives the same errors.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from messages.events import MAX_ID_LENGTH
from serve_app.http.api_settings import ApiSettings

_Word = Annotated[str, Field(max_length=100)]


class FeedQuery(BaseModel):
    """Path and query of GET /v1/feed/{user_id}."""

    model_config = ConfigDict(frozen=True)

    user_id: str = Field(
        min_length=1, max_length=MAX_ID_LENGTH, description="The person, by the caller's own id."
    )
    limit: int = Field(description="Contents wanted.")
    explain: bool = Field(
        False, description="Add each item's predicted heads and propensity, and what the stages did."
    )
    about: str | None = Field(
        None, max_length=200, description="A content of which to say how it scores, and why or why not."
    )
    device: _Word = ""
    network: _Word = ""
    surface: _Word = ""
    language: _Word = ""
    network_speed: float | None = Field(
        None, ge=0, le=1e6, allow_inf_nan=False, description="Megabits per second."
    )


class FeedQueryReader:
    """Reads queries within the bounds of the settings."""

    def __init__(self, settings: ApiSettings) -> None:
        limit = Field(settings.default_limit, ge=1, le=settings.max_limit, description="Contents wanted.")
        bounded = create_model("BoundedFeedQuery", __base__=FeedQuery, limit=(int, limit))
        self._adapter: TypeAdapter[FeedQuery] = TypeAdapter(bounded)

    def read(self, user_id: str, query: dict[str, str]) -> FeedQuery:
        """Check what came. Raises RequestValidationError, which is answered with 422 and the field's name."""
        try:
            return self._adapter.validate_python({**query, "user_id": user_id})
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error

    def parameters(self) -> list[dict[str, Any]]:
        """Return the parameters as OpenAPI describes them."""
        schema = self._adapter.json_schema()
        parameters = []
        for name, described in schema["properties"].items():
            description = described.pop("description", None)
            parameter: dict[str, Any] = {
                "name": name,
                "in": "path" if name == "user_id" else "query",
                "required": name == "user_id",
                "schema": described,
            }
            if description is not None:
                parameter["description"] = description
            parameters.append(parameter)
        return parameters
