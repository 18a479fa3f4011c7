"""What drf-spectacular cannot see by itself: problems as responses, and how a token is sent."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from runs.api.problems import CONTENT_TYPE


class FieldErrorShape(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Empty for the body as a whole.")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; `detail` is for people and may change."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = FieldErrorShape(many=True, required=False)  # type: ignore[assignment]  # a field, not Serializer.errors


WORDS = {
    400: "The request is not acceptable.",
    401: "Log in, or send a valid token.",
    403: "You may not; the detail names who may.",
    404: "It is not there, or you may not see it.",
    409: "The state of the record does not allow it.",
    410: "It has expired.",
}


def problems(*statuses: int) -> dict[Any, Any]:
    """The problem responses of one operation. 401 is part of all."""
    return {(status, CONTENT_TYPE): OpenApiResponse(Problem, WORDS[status]) for status in (401, *statuses)}


class NamedOperations(AutoSchema):
    """Each operation is listed with the first sentence of its docstring."""

    def get_summary(self) -> str:
        return str(self.get_description()).partition(".")[0]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the package's metaclass
    target_class = "runs.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ops_…"}
