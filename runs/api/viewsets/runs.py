"""Runs: start them, find them, steer them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from runs.api.filters import RunFilter
from runs.api.schema import problems
from runs.api.serializers.runs import CancelBody, HoldBody, NewRun, NoteBody, RunDetail, RunSummary
from runs.api.viewsets.doors import Door, actor, person, require
from runs.models import Run
from runs.permissions import Verb
from runs.services import runs as services
from runs.services.errors import Refused
from runs.services.teams import home_team
from runs.sources import chosen_sources

KEY_LIMIT = 200
STEERED = {200: RunDetail, **problems(400, 403, 404, 409)}
KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="The same key and body again answer with the same run."
)


class RunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Investigations."""

    noun = "run"
    queryset = Run.objects.all()
    filterset_class = RunFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Run]:
        runs: QuerySet[Run] = Run.objects.visible_to(self.request.user).select_related("team")
        # The list does not show these, and a report can be a hundred times the rest of its row.
        return runs.defer("report", "hypotheses", "budget", "alert") if self.action == "list" else runs

    def get_serializer_class(self) -> Any:
        return RunSummary if self.action == "list" else RunDetail

    @extend_schema(
        request=NewRun, parameters=[KEY],
        responses={201: RunDetail, 200: OpenApiResponse(RunDetail, "The run that this key made earlier."),
                   **problems(400, 403, 409)},
    )  # fmt: skip
    def create(self, request: Request) -> Response:
        """Start an investigation. It begins at once unless `start` is false."""
        body = NewRun(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        team = home_team(person(request))
        require(request, "start", team)
        made = services.create_run(
            goal=wanted["goal"], team=team, actor=actor(request), origin="api",
            sources=chosen_sources(wanted.get("sources")), planner=wanted.get("planner", ""),
            focus_at=wanted.get("focus_at"), start=wanted["start"], idempotency_key=_key(request),
        )  # fmt: skip
        location = {"Location": request.build_absolute_uri(f"/api/runs/{made.run.pk}")}
        return Response(self._shown(made.run), 201 if made.created else 200, headers=location)

    @extend_schema(request=None, responses=STEERED)
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, pk: str) -> Response:
        """Start a run that was made with `start: false`. A started run is left alone."""
        return self._steered("hold", lambda run: services.start_run(run.pk, actor(request)))

    @extend_schema(request=CancelBody, responses=STEERED)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End the run now. Its open requests are no longer valid."""
        body = _read(CancelBody, request)
        return self._steered("cancel", lambda run: services.cancel_run(run.pk, actor(request), body["reason"]))

    @extend_schema(request=HoldBody, responses=STEERED)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, pk: str) -> Response:
        """Stop the run at its next step until somebody releases it."""
        body = _read(HoldBody, request)
        return self._steered("hold", lambda run: services.hold_run(run.pk, actor(request), body["reason"]))

    @extend_schema(request=None, responses=STEERED)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Let a held run go on."""
        return self._steered("hold", lambda run: services.release_hold(run.pk, actor(request)))

    @extend_schema(request=NoteBody, responses=STEERED)
    @action(detail=True, methods=["post"])
    def notes(self, request: Request, pk: str) -> Response:
        """Tell the running investigation something; it reads it at its next plan."""
        body = _read(NoteBody, request)
        return self._steered("note", lambda run: services.add_note(run.pk, actor(request), body["text"]))

    def _steered(self, verb: Verb, steer: Any) -> Response:
        run = self.get_object()
        require(self.request, verb, run)
        return Response(self._shown(steer(run)))

    def _shown(self, run: Run) -> dict[str, Any]:
        return RunDetail(run, context=self.get_serializer_context()).data


def _read(body: Any, request: Request) -> dict[str, Any]:
    read = body(data=request.data)
    read.is_valid(raise_exception=True)
    checked: dict[str, Any] = read.validated_data
    return checked


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > KEY_LIMIT:
        raise Refused("key_too_long", f"An Idempotency-Key has at most {KEY_LIMIT} characters.", 400)
    return key or None
