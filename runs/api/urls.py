"""The addresses of the API, all under /api/."""

from __future__ import annotations

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from runs.api.documentation import SchemaView, SwaggerView
from runs.api.viewsets.approvals import ApprovalViewSet
from runs.api.viewsets.installation import MeView, NothingHere, ToolsView
from runs.api.viewsets.record import RecordViewSet
from runs.api.viewsets.runs import RunViewSet
from runs.api.viewsets.tickets import TicketViewSet

router = SimpleRouter(trailing_slash=False)
router.register("runs", RunViewSet, basename="run")
router.register("runs", RecordViewSet, basename="record")
router.register("approvals", ApprovalViewSet, basename="approval")
router.register("tickets", TicketViewSet, basename="ticket")

app_name = "api"
urlpatterns = [
    path("", include(router.urls)),
    path("tools", ToolsView.as_view(), name="tools"),
    path("me", MeView.as_view(), name="me"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", SwaggerView.as_view(url_name="api:schema"), name="docs"),
    re_path("", NothingHere.as_view()),
]
