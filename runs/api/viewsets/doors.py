"""What every view does first: find the row among those the caller may see, and ask whether they may."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from runs.models import Approval, Run, Team
from runs.permissions import Verb, may
from runs.services.actors import Actor
from runs.services.errors import forbidden, not_found


class Door(GenericViewSet[Any]):
    """A viewset over rows that have `visible_to`; a row of another team is answered as one that is not there."""

    noun: str

    def get_object(self) -> Any:
        row = self.get_queryset().filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise not_found(self.noun)
        return row


def person(request: Request) -> User:
    return cast(User, request.user)  # IsAuthenticated let nobody else through


def actor(request: Request) -> Actor:
    return Actor.person(person(request))


def require(request: Request, verb: Verb, obj: Run | Team | Approval) -> None:
    """Raises Refused, 403, in the words that name who may."""
    if not (verdict := may(person(request), verb, obj)):
        raise forbidden(verdict.why)
