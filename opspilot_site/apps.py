"""App configurations of the wiring: the commands' home, and the admin with our own site."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import ImproperlyConfigured

from tools.base import ToolError
from tools.configuration import Configuration, configure
from tools.declared.declaration import read_declaration


class SiteConfig(AppConfig):
    name = "opspilot_site"
    label = "opspilot_site"

    def ready(self) -> None:
        """Raises ImproperlyConfigured for a tool in tools.yaml that is declared wrongly."""
        try:
            for declared in settings.TOOLS_FILE.tools:
                read_declaration(declared)
        except ToolError as error:
            raise ImproperlyConfigured(str(error)) from None
        configure(
            Configuration(
                tickets=settings.TICKETS, sources=settings.SOURCES_FILE.options, **settings.TOOLS_FILE.as_parts()
            )
        )


class OpsPilotAdmin(AdminConfig):
    default = False
    default_site = "runs.admin.site.OpsPilotAdminSite"
