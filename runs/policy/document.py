"""A rule set as YAML: read strictly, and written so that reading it gives the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import yaml
from django.conf import settings
from pydantic import ValidationError

from runs.policy.rules import Rule, duration

PRESETS = ("solo", "team")
MOST_RULES, MOST_BYTES = 200, 200_000
TOP = "# The first rule that matches decides; what none matches is refused. See docs/policies.md.\n"
HINTS = {
    "environment": "write prod, [prod, staging] or {only: [staging]}",
    "tainted": "write true, false or a list of arguments such as [url, host]",
    "arguments": "write a mapping such as {severity: [SEV1, SEV2]}",
}


class PolicyError(ValueError):
    """A rule set that cannot be read. The text names the rule, the part, and what would be valid; a line each."""


class _Loader(yaml.SafeLoader):
    """No second value for a key: the last would win, and the one that a reader saw might not count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := next((key for key in keys if keys.count(key) > 1), None):
            raise PolicyError(f"line {node.start_mark.line + 1}: {doubled!r} is given twice")
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise PolicyError("anchors and aliases are not read; write each rule out")
        return super().compose_node(parent, index)


def read_document(text: str) -> list[Rule]:
    """The rules of a file, in order. Raises PolicyError with every mistake that was found."""
    if len(text) > MOST_BYTES:
        raise PolicyError(f"{len(text):,} characters are too many for a rule set; at most {MOST_BYTES:,} are read")
    document = _loaded(text)
    entries = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise PolicyError("a rule set is a mapping with a list `rules`")
    if unknown := [str(key) for key in document if key != "rules"]:
        raise PolicyError(f"beside `rules` nothing is read, but there is {', '.join(unknown)}")
    return _read(entries)


def _loaded(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise PolicyError(f"this is not YAML: {' '.join(str(error).split())}") from None


def read_mapping(text: str) -> dict[str, Any]:
    """The tests on arguments as a person types them. Raises PolicyError; whether they can be used the Rule says."""
    loaded = _loaded(text) if text.strip() else {}
    if not isinstance(loaded, dict):
        raise PolicyError("write an argument, a colon and a test, such as severity: [SEV1, SEV2]")
    return {str(name): test for name, test in loaded.items()}


def write_mapping(tests: dict[str, Any]) -> str:
    """Tests on arguments as `read_mapping` takes them back, one a line."""
    lines = (yaml.safe_dump({name: test}, default_flow_style=None, allow_unicode=True) for name, test in tests.items())
    return "".join(lines).strip()


def _read(entries: list[Any]) -> list[Rule]:
    if len(entries) > MOST_RULES:
        raise PolicyError(f"{len(entries)} rules are too many; at most {MOST_RULES} are read")
    rules, mistakes = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            rules.append(Rule.model_validate(entry))
        except ValidationError as error:
            mistakes += [f"rule {number}{_named(entry)}: {words}" for words in in_words(error)]
    names = [rule.name for rule in rules]
    mistakes += [f"two rules are called “{name}”" for name in dict.fromkeys(names) if names.count(name) > 1]
    if mistakes:
        raise PolicyError("\n".join(mistakes))
    return rules


def _named(entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" “{name}”" if isinstance(name, str) and name else ""


def in_words(error: ValidationError) -> Iterator[str]:
    """What is wrong with one rule, once for each part of it."""
    seen = set()
    for mistake in error.errors():
        part = str(mistake["loc"][0]) if mistake["loc"] else "rule"
        if part in seen:
            continue
        seen.add(part)
        words = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            yield f"there is no part {part!r}; parts: {', '.join(Rule.model_fields)}"
        elif part in HINTS and mistake["type"] != "value_error":
            yield f"{part}: {HINTS[part]}"
        else:
            yield f"{part}: {words[:1].lower()}{words[1:]}"


def write_document(rules: Sequence[Rule], top: str = TOP) -> str:
    """The rules as YAML that `read_document` reads back equal."""
    entries = [_entry(rule) for rule in rules]
    return top + yaml.safe_dump({"rules": entries}, sort_keys=False, allow_unicode=True, width=100)


def _entry(rule: Rule) -> dict[str, Any]:
    entry = rule.as_json()
    if rule.expires and rule.expires % 60 == 0:
        entry["expires"] = duration(rule.expires)
    return entry


@cache
def preset(name: str) -> tuple[Rule, ...]:
    """The rules of a preset that ships: solo or team."""
    return tuple(read_document((settings.BASE_DIR / "fixtures" / "policies" / f"{name}.yaml").read_text()))
