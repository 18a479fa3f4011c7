"""App configurations of the wiring: the commands' home, and the admin with our own site."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig

from tools.configuration import Configuration, configure


class SiteConfig(AppConfig):
    name = "opspilot_site"
    label = "opspilot_site"

    def ready(self) -> None:
        configure(
            Configuration(
                tickets=settings.TICKETS, sources=settings.SOURCES_FILE.options, **settings.TOOLS_FILE.as_parts()
            )
        )


class OpsPilotAdmin(AdminConfig):
    default = False
    default_site = "runs.admin.site.OpsPilotAdminSite"
