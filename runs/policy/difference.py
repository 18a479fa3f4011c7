"""What a new rule set changes, rule by rule, as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from runs.policy.rules import Rule


def difference(old: Sequence[Rule], new: Sequence[Rule]) -> list[str]:
    """`+`, `-` and blank lines, each a rule in words with its place; a changed rule is taken away and added."""
    lines = SequenceMatcher(None, [line(rule) for rule in old], [line(rule) for rule in new], autojunk=False)
    return list(_told(lines, old, new))


def line(rule: Rule) -> str:
    return f"{rule.name}: {rule}"


def _told(matcher: SequenceMatcher[str], old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[str]:
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"  {place + 1:>2}. {line(new[place])}" for place in range(from_new, to_new))
        else:
            yield from (f"- {place + 1:>2}. {line(old[place])}" for place in range(from_old, to_old))
            yield from (f"+ {place + 1:>2}. {line(new[place])}" for place in range(from_new, to_new))
