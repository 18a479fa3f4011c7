"""The base of every request body: a field it does not know is refused, not ignored."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """A request body. A misspelt field is an error that lists the right ones."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields)
            message = f"There is no such field. Fields: {known}."
            raise serializers.ValidationError(dict.fromkeys(unknown[:20], message), code="unknown_field")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A string only: DRF's own turns numbers into text, and then 1 and "1" would be the same body."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """true or false only: DRF's own also takes "yes" and 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
