"""A person's own account: API tokens; and the two links that let somebody in without a password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs.demo_links import user_of_link
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event
from runs.services.installation import is_setup_token, set_up_administrator
from runs.services.teams import use_solo_preset
from runs.services.tokens import MAX_DAYS, issue_token, revoke_token
from runs.states import Scope
from runs.views.asking import asker

LIFETIMES = (7, 30, MAX_DAYS)
BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/account.html", _account(request))


@login_required
@require_POST
@never_cache
def token_issue(request: HttpRequest) -> HttpResponse:
    """Answers with the page itself, not with a redirect: the token is shown in this answer and nowhere else."""
    name, days = request.POST.get("name", "").strip(), request.POST.get("days", "")
    if not name or not days.isdecimal():
        context = _account(request) | {"problem": "Give the token a name that says who uses it, and a lifetime."}
        return render(request, "accounts/account.html", context, status=400)
    try:
        token, plain = issue_token(asker(request), name, int(days[:4]), request.POST.getlist("scope"))
    except Refused as refused:
        return render(request, "accounts/account.html", _account(request) | {"problem": refused}, status=refused.status)
    return render(request, "accounts/account.html", _account(request) | {"issued": token, "plain": plain})


@login_required
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(asker(request).api_tokens, pk=pk)
    revoke_token(token)
    messages.success(request, f"“{token.name}” no longer works.")
    return redirect("account")


class PasswordChange(PasswordChangeView):
    """One's own password; every other session of the person ends with the old one."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password was changed. You are logged out everywhere else.")
        with transaction.atomic():
            answer = super().form_valid(form)
            person = asker(self.request)
            record_event("password_change", actor=Actor.person(person), object=f"user “{person.get_username()}”")
        return answer


def _account(request: HttpRequest) -> dict[str, object]:
    return {
        "tokens": asker(request).api_tokens.all()[:100],
        "memberships": asker(request).memberships.select_related("team"),
        "lifetimes": LIFETIMES,
        "scopes": [(scope, scope != Scope.DECIDE) for scope in Scope],
        "now": timezone.now(),
    }


class SetupForm(forms.Form):
    """Who the first administrator is, and whether other people will vote."""

    username = forms.CharField(max_length=150, validators=[UnicodeUsernameValidator()])
    password = forms.CharField(strip=False)
    again = forms.CharField(strip=False)
    people = forms.ChoiceField(choices=[("several", "several"), ("one", "one")])

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or {}
        if entered.get("password") != entered.get("again"):
            self.add_error("again", "The two passwords differ.")
        elif password := entered.get("password"):
            self._judge(password, User(username=entered.get("username", "")))
        return entered

    def _judge(self, password: str, user: User) -> None:
        try:
            validate_password(password, user)
        except forms.ValidationError as error:
            self.add_error("password", error)


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """The first administrator. The link works once; without an open one there is no such page."""
    if not is_setup_token(token):
        raise Http404("No set-up is open.")
    if request.method != "POST":
        return render(request, "accounts/setup.html", {"form": SetupForm()})
    form = SetupForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/setup.html", {"form": form}, status=400)
    try:
        user = set_up_administrator(token, form.cleaned_data["username"], form.cleaned_data["password"])
    except Refused as refused:
        form.add_error(None, str(refused))
        return render(request, "accounts/setup.html", {"form": form}, status=refused.status)
    if form.cleaned_data["people"] == "one":
        use_solo_preset()
    login(request, user, BACKEND)
    return redirect("run_list")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def demo_entry(request: HttpRequest, username: str, token: str) -> HttpResponse:
    """A demo link asks once more by a button: opening it alone, as a prefetch does, logs nobody in."""
    user = user_of_link(username, token)
    if user is None:
        return render(request, "accounts/demo.html", {"used": True}, status=410)
    if request.method != "POST":
        return render(request, "accounts/demo.html", {"person": user, "memberships": user.memberships.all()})
    login(request, user, BACKEND)
    return redirect("run_list")
