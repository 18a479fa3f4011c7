"""Who acts on a shell: the user of a personal token, else the shell's own user, who can never vote."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User

from runs.models import Run
from runs.models.run import RunQuerySet
from runs.permissions import may
from runs.services.actors import Actor
from runs.services.errors import forbidden, not_found
from runs.services.tokens import user_for
from runs.states import Scope


def shell_actor(scope: Scope = Scope.WRITE) -> Actor:
    """The user of OPSPILOT_TOKEN where it is set, else `cli:<os user>`. Raises Refused for a token that is not good."""
    if settings.TOKEN:
        return Actor.person(user_for(settings.TOKEN, scope))
    return Actor.shell(getpass.getuser())


def shell_voter(ask: Callable[[], str]) -> User:
    """The person who votes here: by OPSPILOT_TOKEN, else by a token that `ask` reads without showing it."""
    return user_for(settings.TOKEN or ask().strip(), Scope.DECIDE)


def shell_runs() -> RunQuerySet:
    """What this shell may see. Without a token that is every run: whoever has the shell has the database."""
    user = shell_actor(Scope.READ).user
    runs: RunQuerySet = Run.objects.visible_to(user) if user else Run.objects.all()
    return runs


def own_run(run_id: int, actor: Actor) -> Run:
    """The run if this shell may end it. Raises Refused: without a token a shell ends only what it started."""
    run = shell_runs().filter(pk=run_id).first()
    if run is None:
        raise not_found("run")
    if actor.user is None and run.started_by != actor.name:
        raise forbidden(f"{run.started_by.removeprefix('user:')} started it; set OPSPILOT_TOKEN to act as yourself.")
    if actor.user is not None and not (verdict := may(actor.user, "cancel", run)):
        raise forbidden(verdict.why)
    return run
