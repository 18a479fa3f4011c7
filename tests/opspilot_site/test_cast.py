"""The cast that the other tests rest on."""

from __future__ import annotations

from django.contrib.auth.models import User

from runs.models import PolicyRule, Team


def test_the_cast_belongs_to_two_teams_under_the_default_rules(
    alice: User, bob: User, carol: User, mallory: User, admin: User, team: Team
) -> None:
    members = {
        m.user.username: (m.team.slug, m.role) for u in (alice, bob, carol, mallory) for m in u.memberships.all()
    }

    assert members["alice"] == ("default", "operator")
    assert members["bob"] == members["carol"] == ("default", "approver")
    assert members["mallory"] == ("other", "approver")
    assert not admin.memberships.exists()
    assert PolicyRule.objects.filter(effect="approve", risk="write").exists()
