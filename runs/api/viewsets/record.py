"""What a run left behind: its steps, its evidence, its report. Read only."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from runs.api.schema import problems
from runs.api.serializers.runs import EvidenceDetail, EvidenceRow, StepPage, StepsAfter
from runs.api.viewsets.doors import Door
from runs.models import Evidence, Run
from runs.presentation.report_text import report_markdown
from runs.services.errors import Refused, not_found

NAME = re.compile(r"E([1-9]\d{0,8})", re.ASCII)


class MarkdownRenderer(BaseRenderer):
    """Text that is Markdown already; here so that `Accept: text/markdown` is understood."""

    media_type = "text/markdown"
    format = "markdown"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        return data


class RecordViewSet(Door):
    """The parts of one run."""

    noun = "run"
    queryset = Run.objects.all()
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Run]:
        runs: QuerySet[Run] = Run.objects.visible_to(self.request.user)
        return runs

    @extend_schema(parameters=[StepsAfter], responses={200: StepPage, **problems(400, 404)})
    @action(detail=True, pagination_class=None)
    def steps(self, request: Request, pk: str) -> Response:
        """The run's log in order. Ask again with `after` set to `last` to follow it."""
        asked = StepsAfter(data=request.query_params)
        asked.is_valid(raise_exception=True)
        after, limit = asked.validated_data["after"], asked.validated_data["limit"]
        run = self.get_object()
        found = list(run.steps.filter(seq__gt=after).order_by("seq")[: limit + 1])
        steps = found[:limit]
        last = steps[-1].seq if steps else after
        page = {"results": steps, "last": last, "more": len(found) > limit, "state": run.state}
        return Response(StepPage(page).data)

    @extend_schema(operation_id="runs_evidence_list", responses={200: EvidenceRow(many=True), **problems(404)})
    @action(detail=True, pagination_class=None, url_path="evidence")
    def evidence_list(self, request: Request, pk: str) -> Response:
        """What the tools returned, without the rows."""
        rows = self.get_object().evidence.select_related("call").defer("body")
        return Response(EvidenceRow(rows, many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH, description="E1, E2, …")],
        responses={200: EvidenceDetail, **problems(404)},
    )  # fmt: skip
    @action(detail=True, pagination_class=None, url_path=r"evidence/(?P<name>[^/]+)")
    def evidence(self, request: Request, pk: str, name: str) -> Response:
        """One result as it was stored: what the claims are checked against."""
        run = self.get_object()
        number = NAME.fullmatch(name)
        row = number and Evidence.objects.filter(run=run, number=number[1]).select_related("call").first()
        if not row:
            raise not_found("evidence")
        return Response(EvidenceDetail(row).data)

    @extend_schema(
        parameters=[OpenApiParameter("as", str, enum=["json", "markdown"], description="Or by the Accept header.")],
        responses={(200, "application/json"): OpenApiTypes.OBJECT, (200, "text/markdown"): OpenApiTypes.STR,
                   **problems(404)},
    )  # fmt: skip
    @action(detail=True, pagination_class=None, renderer_classes=[JSONRenderer, MarkdownRenderer])
    def report(self, request: Request, pk: str) -> Response | HttpResponse:
        """The report so far; `partial` says whether it is the last one."""
        run = self.get_object()
        if run.report is None:
            raise Refused("no_report_yet", "This run has no report yet.", 404)
        if _wants_markdown(request):
            return HttpResponse(report_markdown(run), content_type="text/markdown; charset=utf-8")
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
        return Response(run.report)


def _wants_markdown(request: Request) -> bool:
    asked = request.query_params.get("as")
    if asked not in (None, "json", "markdown"):
        raise Refused("unknown_form", f"A report comes as json or markdown, not as {asked[:40]!r}.", 400)
    return asked == "markdown" or (asked is None and request.accepted_renderer.format == "markdown")
