"""Approvals: what waits for a person, and that person's word."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from runs.api.filters import ApprovalFilter
from runs.api.pagination import MostUrgentFirst
from runs.api.schema import problems
from runs.api.serializers.approvals import ApprovalDetail, ApprovalRow, DecisionBody, EditBody
from runs.api.viewsets.doors import Door, person
from runs.models import Approval
from runs.services.approvals import decide_approval
from runs.services.edits import edit_request
from runs.states import Scope


class ApprovalViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Requests to run one call with exact arguments."""

    noun = "approval"
    write_scope = Scope.DECIDE
    queryset = Approval.objects.all()
    filterset_class = ApprovalFilter
    pagination_class = MostUrgentFirst
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Approval]:
        return (
            Approval.objects.visible_to(self.request.user)
            .select_related("run__team", "call", "replaced_by")
            .prefetch_related("votes__user")
        )

    def get_serializer_class(self) -> Any:
        return ApprovalRow if self.action == "list" else ApprovalDetail

    @extend_schema(request=DecisionBody, responses={200: ApprovalDetail, **problems(400, 403, 404, 409, 410)})
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Approve or deny. The same person's same decision again answers with the same approval.

        A destructive call is approved on its page only, by a person who has just given their password.
        """
        body = DecisionBody(data=request.data)
        body.is_valid(raise_exception=True)
        word = body.validated_data
        decide_approval(
            int(pk), user=person(request), approve=word["decision"] == "approve", reason=word["reason"],
            args_sha256=word["args_sha256"], door="api",
        )  # fmt: skip
        return Response(ApprovalDetail(self.get_object(), context=self.get_serializer_context()).data)

    @extend_schema(request=EditBody, responses={201: ApprovalDetail, **problems(400, 403, 404, 409, 410)})
    @action(detail=True, methods=["post"])
    def edit(self, request: Request, pk: str) -> Response:
        """Change the arguments: this request becomes void and a new one is answered, on which other people vote."""
        body = EditBody(data=request.data)
        body.is_valid(raise_exception=True)
        word = body.validated_data
        made = edit_request(
            int(pk), user=person(request), args=word["args"], args_sha256=word["args_sha256"], door="api"
        )
        fresh = self.get_queryset().get(pk=made.pk)
        location = {"Location": request.build_absolute_uri(f"/api/approvals/{made.pk}")}
        return Response(ApprovalDetail(fresh, context=self.get_serializer_context()).data, 201, headers=location)
