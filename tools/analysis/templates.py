"""Groups log messages into templates: by what is masked in them, then joining what one statement may have written.

Method: keys are brought to a canonical form, in which the values, amounts and lists that log statements write are one
variable each; then, as in IPLoM (Makanju et al. 2009), keys of one length that agree in all places but one are told
apart by that place: where it takes many values it is a variable, where it takes few they are statements of their own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.sources.logs.masking import kinds_of, template_of

WILDCARD = "<*>"
MAX_TOKENS = 80
MANY_WORDS = 6  # so many words in one place are values; of statements fewer differ in a single word
MANY_NAMES = 4  # of names with dots, slashes or underscores fewer are enough
ROUNDS = 3  # in each, one more place of a statement becomes a variable
LONGEST_REPEAT = 5  # tokens of one element of a list

_V = "\x01"  # a variable, while a key is brought to its form
_UNIT = r"(?:[KMGT]?i?B|[kmg]b|[Bb]ytes?|[mnuµ]?s(?:ecs?)?|seconds?|min(?:ute)?s?|hours?|hrs?|%)"
_STEPS = [
    (re.compile(pattern), into)
    for pattern, into in (
        (r"<\w+>|<\*>", _V),  # what is masked already
        (r"\b[A-Za-z][\w+.-]*://[^\s,;\"')\]}]+", _V),
        # key=value, the value quoted, in brackets or plain
        (
            r"(?<=[\w\]])=(?:\"[^\"]*\"|'[^']*'|[^\s,;(){}\[\]<>]*(?:\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\))?[^\s,;)\]}>]*)",
            f"={_V}",
        ),
        (r"(?<![\w/.<])(?:[A-Za-z]:\\|\.{0,2}/|~/)[^\s,;:()\[\]{}\"'=]*[\w/*\x01]", _V),  # paths
        (r"(?<![\w/])[A-Za-z0-9\x01][\w.\x01-]*:\x01(?![\w:])", _V),  # host:port
        (r"(?<![A-Za-z0-9])[-+<>~]{0,2}[\w$]*\x01[\w$\x01]*", _V),  # words that hold a number, with sign or comparison
        (rf"\x01(?:[.,:/_-]+\x01)*(?:\s?{_UNIT}(?![A-Za-z0-9\x01]))?", _V),  # amounts and their units
        (r"\s*\(\s*\x01\s*\)(?=\s)", ""),  # the same amount in another unit
        (r"[\w.$-]*[.$-]\x01[\w.$\x01-]*|\x01[.$-][\w.$\x01-]+", _V),  # names a part of which varies
    )
]
_TOKEN = re.compile(r"(\s*)([\w\x01.@$/\\-]+|[^\s\w\x01])")
_NAME = re.compile(r"\w[./\\_$@:-]\w|[a-z][A-Z]")

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    count: int
    members: tuple[str, ...]  # the masked keys it was joined from


def mine(messages: Sequence[str]) -> list[Template]:
    """Templates of these messages, most frequent first."""
    counts, _ = _masked(messages)
    return join(counts)


def groups_of(messages: Sequence[str]) -> list[int]:
    """For each message the place of its template in `mine`."""
    counts, of = _masked(messages)
    places = {key: place for place, template in enumerate(join(counts)) for key in template.members}
    by_key = [places[key] for key in counts]
    return [by_key[number] for number in of]


def _masked(messages: Sequence[str]) -> tuple[dict[str, int], list[int]]:
    """How many messages each masked key has, and for each message the number of its key."""
    kinds = kinds_of(messages)
    numbers: dict[str, int] = {}
    of_kind = [numbers.setdefault(template_of(messages[at]), len(numbers)) for at in kinds.firsts]
    of = [of_kind[kind] for kind in kinds.of]
    sizes = Counter(of)
    return {key: sizes[number] for key, number in numbers.items()}, of


def join(counts: Mapping[str, int]) -> list[Template]:
    """Joins masked keys with their counts. The order of the keys does not matter."""
    shapes: dict[Tokens, list[str]] = defaultdict(list)
    for key in sorted(counts, key=lambda key: (-counts[key], key)):
        shapes[tuple(token for _, token in _tokens(key))].append(key)
    groups: dict[Tokens, list[str]] = defaultdict(list)
    for shape, joined in _joined(shapes).items():
        groups[joined] += shapes[shape]
    found = [
        _template(shape, sorted(keys, key=lambda key: (-counts[key], key)), counts) for shape, keys in groups.items()
    ]
    return sorted(found, key=lambda template: (-template.count, template.text))


def _template(shape: Tokens, keys: list[str], counts: Mapping[str, int]) -> Template:
    """Its text is that of its one member; of several, their form spaced as the most frequent one is."""
    text = keys[0]
    if len(keys) > 1:
        spaces = [space for space, _ in _tokens(keys[0])]
        text = "".join(space + token for space, token in zip(spaces, shape, strict=True)).replace(_V, WILDCARD)
    return Template(text, sum(counts[key] for key in keys), tuple(keys))


def _tokens(key: str) -> list[tuple[str, str]]:
    """The canonical form: each token with the space before it."""
    for pattern, into in _STEPS:
        key = pattern.sub(into, key)
    tokens = _TOKEN.findall(key.strip())[:MAX_TOKENS]
    for length in range(1, LONGEST_REPEAT + 1):
        tokens = _without_repeats(tokens, length)
    return tokens


def _without_repeats(tokens: list[tuple[str, str]], length: int) -> list[tuple[str, str]]:
    """A list of any number of like elements, each with a variable, as one element."""
    words = [word for _, word in tokens]
    kept, at = [], 0
    while at < len(tokens):
        element = words[at : at + length]
        if len(element) < length or _V not in "".join(element):
            kept.append(tokens[at])
            at += 1
            continue
        kept += tokens[at : at + length]
        at += length
        while words[at : at + length] == element:
            at += length
    return kept


def _joined(shapes: Iterable[Tokens]) -> dict[Tokens, Tokens]:
    """Each shape with the one that it becomes."""
    into = {shape: shape for shape in shapes}
    for _ in range(ROUNDS):
        changed = _join_once(sorted(set(into.values())))
        if not changed:
            break
        into = {shape: changed.get(now, now) for shape, now in into.items()}
    return into


def _join_once(shapes: Sequence[Tokens]) -> dict[Tokens, Tokens]:
    """Where many agree in all places but one, that place becomes a variable. The largest families go first."""
    families: dict[tuple[int, int, int], list[Tokens]] = defaultdict(list)
    for shape in shapes:
        signs = [hash((place, word)) for place, word in enumerate(shape)]
        whole = sum(signs)
        for place, sign in enumerate(signs):
            if _may_vary(shape, place):
                families[len(shape), place, whole - sign].append(shape)
    changed: dict[Tokens, Tokens] = {}
    for (_, place, _), family in sorted(families.items(), key=lambda item: (-len(item[1]), item[0][1], item[1])):
        left = [shape for shape in family if shape not in changed]
        if _is_variable([shape[place] for shape in left]):
            changed |= {shape: (*shape[:place], _V, *shape[place + 1 :]) for shape in left}
    return changed


def _may_vary(shape: Tokens, place: int) -> bool:
    """Punctuation never; the first word of a statement only where it is a name."""
    word = shape[place]
    if not (word[0].isalnum() or _V in word):
        return False
    return place > 0 or (len(shape) > 2 and _is_name(word))


def _is_name(word: str) -> bool:
    return _V in word or _NAME.search(word) is not None


def _is_variable(values: Sequence[str]) -> bool:
    return len(values) >= MANY_WORDS or (len(values) >= MANY_NAMES and all(map(_is_name, values)))
