"""Admin pages whose every change goes through the services, which record it; and what people's has besides."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from runs.services.actors import Actor
from runs.services.changes import delete_recorded, save_recorded
from runs.services.events import record_event
from runs.views.asking import asker


def _actor(request: HttpRequest) -> Actor:
    return Actor.person(asker(request))


class RecordedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Whatever is saved or deleted here, a row of an inline and a bulk action too, is an event of the audit."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_recorded(obj, _actor(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_recorded(obj, _actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset:
                delete_recorded(row, _actor(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        with transaction.atomic():
            for row in formset.save(commit=False):
                save_recorded(row, _actor(request))
            for row in formset.deleted_objects:
                delete_recorded(row, _actor(request))
            formset.save_m2m()


class RecordedPeople(RecordedAdmin):
    """Stands before Django's page of users, whose module registers itself and so cannot be imported here."""

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        before = self._password(id)
        answer: HttpResponse = super().user_change_password(request, id, form_url)  # type: ignore[misc]
        if (after := self._password(id)) != before:
            record_event("password_change", actor=_actor(request), object=f"user “{after[0]}”")
        return answer

    def _password(self, id: str) -> tuple[str, str]:
        return User.objects.values_list("username", "password").filter(pk=id).first() or ("", "")
