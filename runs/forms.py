"""The forms of the run pages. What a goal or a note must be is the services' rule; here stand only the fields."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from runs.services.runs import GOAL_LIMIT
from runs.sources import Source


class NewRunForm(forms.Form):
    """One question and the sources to read."""

    goal = forms.CharField(
        max_length=GOAL_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": "Say what to investigate: a goal cannot be empty.",
            "max_length": "The goal has %(show_value)s characters; at most %(limit_value)s fit.",
        },
    )
    sources = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one source to read."},
    )

    def __init__(self, *args: object, sources: Sequence[Source], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        names = [source["name"] for source in sources]
        field = self.fields["sources"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  declared above
        field.choices = [(name, name) for name in names]
        field.error_messages["invalid_choice"] = f"No source is called %(value)s. Sources: {', '.join(names)}."


class WordsForm(forms.Form):
    """A note, or the reason for holding or cancelling."""

    words = forms.CharField(max_length=GOAL_LIMIT, required=False)
