"""The form of one policy rule: its conditions as people write them, checked as the rule that would be stored."""

from __future__ import annotations

from typing import Any

from django import forms
from pydantic import ValidationError

from runs.models import PolicyRule
from runs.policy.document import PolicyError, in_words, read_mapping, write_mapping
from runs.policy.rules import STARTERS, Only, Rule, duration

FIELD_OF = {"tainted": "copied", "expires": "expires", "then": "effect"}  # else a part's field has the part's name


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """Empty conditions ask nothing. `preview` shows what the rule would do and saves nothing."""

    arguments = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="As YAML, one argument a line: severity: [SEV1, SEV2] · title: {matches: \"orders-.*\"} · "
        "count: {max: 10} · labels.team: payments · hosts[any].name: db-1. Tests: is, in, not_in, matches (RE2, the "
        "whole text), contains, min, max, max_length, present.",
    )  # fmt: skip
    environment = forms.CharField(
        required=False, help_text="Of the run's sources, as ?env= names them: prod, staging. unnamed: those without."
    )
    only = forms.BooleanField(
        required=False, label="and no other", help_text="Every source of the run is in one of these."
    )
    starter = forms.MultipleChoiceField(
        required=False, choices=[(name, name) for name in STARTERS], widget=forms.CheckboxSelectMultiple,
        label="Started by", help_text="None ticked: anybody. former: somebody who is no longer in the team.",
    )  # fmt: skip
    copied = forms.CharField(
        required=False, label="Copied text",
        help_text="From results or the alert: yes, no, or arguments that hold it, such as url, host*. Empty: either.",
    )  # fmt: skip
    expires = forms.CharField(
        required=False, label="Open for", help_text="How long a request waits: 30m, 24h, 7d. Empty: the setting."
    )

    class Meta:
        model = PolicyRule
        fields = ["team", "order", "name", "tool", "risk", "effect", "votes", "role"]
        labels = {"effect": "Then", "role": "Votes of"}
        help_texts = {
            "team": "Empty: a rule of the installation. A team's own rules are asked first.",
            "order": "The lowest is asked first.",
            "votes": "Where votes are asked; never the vote of who started the run.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, value in _shown(self.instance).items():
            self.initial.setdefault(name, value)

    saves = False  # set by a preview that reads the rule; the form that Django shows again must not save

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        try:
            arguments = read_mapping(given.get("arguments") or "")
        except PolicyError as error:
            self.add_error("arguments", str(error))
            return given
        if self.errors:
            return given
        self._keep(given, arguments)
        return given

    def _keep(self, given: dict[str, Any], arguments: dict[str, Any]) -> None:
        names = _names(given["environment"])
        conditions = {
            "arguments": arguments,
            "environment": {"only": names} if given["only"] and names else names,
            "starter": given["starter"],
            "tainted": {"": None, "yes": True, "no": False}.get(
                given["copied"].strip().lower(), _names(given["copied"])
            ),
        }
        conditions = {part: value for part, value in conditions.items() if value not in ({}, [], None)}
        parts = {"name": given["name"], "tool": given["tool"], "risk": given["risk"], "votes": given["votes"],
                 "then": given["effect"], "role": given["role"], "expires": given["expires"] or None}  # fmt: skip
        try:
            rule = Rule.model_validate({**conditions, **parts})
        except ValidationError as error:
            for words in in_words(error):
                part, _, what = words.partition(": ")
                self.add_error(FIELD_OF.get(part, part if part in self.fields else None), what or words)
        else:
            self.instance.conditions, self.instance.expiry_s = conditions, rule.expires
            if "_preview" in self.data and not self.saves:
                self.add_error(None, "Nothing is saved yet.")


def _shown(row: PolicyRule) -> dict[str, Any]:
    """The conditions of a stored rule as the fields show them."""
    try:
        rule = row.as_rule() if row.pk else None
    except (ValidationError, TypeError):
        return {"arguments": f"# These conditions cannot be read; write them anew.\n# {row.conditions}"}
    if rule is None:
        return {}
    is_only = isinstance(rule.environment, Only)
    names = rule.environment.only if isinstance(rule.environment, Only) else rule.environment
    return {
        "arguments": write_mapping(rule.arguments), "environment": ", ".join(names), "only": is_only,
        "starter": rule.starter, "copied": _copied_in_words(rule.tainted),
        "expires": duration(rule.expires) if rule.expires else "",
    }  # fmt: skip


def _copied_in_words(tainted: bool | list[str] | None) -> str:
    if tainted is None:
        return ""
    return ", ".join(tainted) if isinstance(tainted, list) else "yes" if tainted else "no"


def _copied(text: str) -> bool | list[str] | None:
    word = text.strip().lower()
    return {"": None, "yes": True, "no": False}[word] if word in ("", "yes", "no") else _names(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
