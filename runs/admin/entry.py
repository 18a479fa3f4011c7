"""Who is at the door of an admin page: asked once a request, for the admin asks it for every table it lists."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from django.http import HttpRequest

from runs.models import Membership
from runs.permissions import enters_admin
from runs.states import Role

_entering: WeakKeyDictionary[HttpRequest, bool] = WeakKeyDictionary()
_administering: WeakKeyDictionary[HttpRequest, frozenset[int]] = WeakKeyDictionary()


def enters(request: HttpRequest) -> bool:
    """Superusers, approvers and administrators. `is_staff` plays no part."""
    if request not in _entering:
        _entering[request] = enters_admin(request.user)
    return _entering[request]


def administered_teams(request: HttpRequest) -> frozenset[int]:
    """Ids of the teams whose rules and members this person may change as their administrator."""
    if request not in _administering:
        members = Membership.objects.filter(user=request.user.pk, role=Role.ADMINISTRATOR, is_service=False)
        _administering[request] = frozenset(members.values_list("team_id", flat=True))
    return _administering[request]
