"""The OpenAPI schema and its Swagger page, both behind the log-in and without any CDN."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.settings import api_settings


class SchemaView(SpectacularAPIView):
    """The schema as YAML or JSON, for whoever may call the API: a token will do."""

    authentication_classes = api_settings.DEFAULT_AUTHENTICATION_CLASSES


@method_decorator(login_required, name="dispatch")
class SwaggerView(SpectacularSwaggerSplitView):
    """A person without a session is sent to the log-in. Split: our CSP allows no script inside the page."""

    url_name = "schema"
    template_name = "api/docs.html"
    http_method_names = ("get", "head")  # its OPTIONS would look for a template that is not there

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response["Cross-Origin-Opener-Policy"] = "same-origin"  # its own is for OAuth pop-ups, which we have not
        return response
