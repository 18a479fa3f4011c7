"""Example goals for the new-run page, made of the services that a person's own runs have met. Reads only."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User

from runs.models import Run

RUNS_LOOKED_AT = 50
WITHOUT_SERVICES = (
    "Investigate error spikes in the last 3 hours",
    "What changed before the latest alert, and did it cause it?",
    "Investigate database timeouts in the last 5 hours and create a ticket if required",
)


def examples_for(user: User | AnonymousUser) -> list[str]:
    """Three goals one could ask now; one query."""
    recent = Run.objects.visible_to(user).exclude(service="").order_by("-id").values_list("service", flat=True)
    services = list(dict.fromkeys(recent[:RUNS_LOOKED_AT]))
    made = [
        f"Why has {services[0]} been failing for the last hour?",
        f"Did a release in the last 5 hours slow {services[1 % len(services)]} down?",
        f"Is {services[2 % len(services)]} healthy again?",
    ] if services else []  # fmt: skip
    return (made + list(WITHOUT_SERVICES))[:3]
