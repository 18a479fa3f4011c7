"""What the installation offers and who is asking: tools, the caller, and the answer to an unknown address."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import toolbox
from runs.api.schema import problems
from runs.api.serializers.me import Me
from runs.api.serializers.tools import ToolRow
from runs.api.viewsets.doors import person


class ToolsView(APIView):
    @extend_schema(operation_id="tools_list", responses={200: ToolRow(many=True), **problems()})
    def get(self, request: Request) -> Response:
        """What the agent can do, and what each tool takes."""
        rows: list[Any] = [toolbox.describe(name) for name in toolbox.names()]
        return Response(ToolRow(rows, many=True).data)


class MeView(APIView):
    @extend_schema(operation_id="me", responses={200: Me, **problems()})
    def get(self, request: Request) -> Response:
        """Who this token or session is, and their role in each team."""
        user = person(request)
        teams = user.memberships.select_related("team").order_by("team__slug")
        return Response(Me({"username": user.username, "is_superuser": user.is_superuser, "teams": teams}).data)


class NothingHere(APIView):
    """Every address under /api/ that is none: a problem, not a page, and only for those who are logged in."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404
