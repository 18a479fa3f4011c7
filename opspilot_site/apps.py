"""App configurations of the wiring: the commands' home, and the admin with our own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class SiteConfig(AppConfig):
    name = "opspilot_site"
    label = "opspilot_site"


class OpsPilotAdmin(AdminConfig):
    default = False
    default_site = "runs.admin.site.OpsPilotAdminSite"
