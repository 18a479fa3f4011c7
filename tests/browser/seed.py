"""A program that prepares the database of a stack before it starts: the cast, with passwords to log in by."""

from __future__ import annotations

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  models exist once Django is set up

from opspilot_site.database import prepare_database  # noqa: E402
from runs.services.teams import add_member, default_team  # noqa: E402
from runs.states import Role  # noqa: E402
from tests.browser.people import CAST, PASSWORD, SUPERUSER  # noqa: E402

prepare_database(demo=False)
for name, role in CAST.items():
    user = User.objects.create_user(name, f"{name}@example.org", PASSWORD, is_staff=role == "approver")
    add_member(default_team(), user, Role(role))
User.objects.create_superuser(SUPERUSER, "admin@example.org", PASSWORD)
