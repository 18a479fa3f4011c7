"""The admin site of OpsPilot: its words and who may enter."""

from django.contrib import admin


class OpsPilotAdminSite(admin.AdminSite):
    site_header = "OpsPilot"
    site_title = "OpsPilot"
    index_title = "Approvals and audit"
