"""Every URL of the site."""

from django.contrib import admin
from django.urls import include, path

from runs.api.health import healthz

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("runs.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("", include("runs.urls")),
]
