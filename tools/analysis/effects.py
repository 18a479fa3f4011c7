"""What a patch can do to a running system, read from its shape: limits, guards, bounds, renames. Names no service.

Method: the change kinds that post-mortem studies keep finding behind incidents (Yin et al. 2011 on misconfiguration;
Gunawi et al. 2016 on outages): a value moved, a check or bound taken away, a name changed on one side, a load added.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import re2

from tools.analysis.diffs import Patch, Setting, settings, words_set
from tools.analysis.terms import stems, terms

# What a smaller number of takes away from the system; what a larger number of loads on to it.
_CEILINGS = stems(
    """
    max limit pool size attempt attempts retry retries ttl timeout deadline budget quota replicas capacity leeway
    tolerance memory cpu heap workers threads concurrency buffer entries connections conns backoff delay window grace
    keepalive interval instances permits burst lifetime expiry maxage
    """
)
_LOADS = stems(
    """
    sample rate ratio batch page prefetch concurrency parallelism workers threads retries attempts fanout depth
    frequency replicas timeout
    """
)
_GUARDS = stems(
    """
    lock unlock mutex rwmutex synchronized semaphore limit leeway timeout deadline retry backoff validate check verify
    evict expire ttl maxsize maxlen throttle where close release defer finally catch except recover fallback breaker
    circuit cap bound prune cleanup purge flush dispose lru cache cached index withtimeout settimeout cancel
    unsubscribe dedupe idempotent
    """
)
_LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4, "fatal": 5}
_LOG_CALL = re2.compile(
    r"(?i)\b(log|logger|logging|slog|zap|console|span|tracer|metrics?|prometheus|statsd|telemetry|counter|histogram|gauge)\w*\b"
    r"|\.(inc|observe|labels|setattributes|record)\("
)
_CHECK = re2.compile(r"^\s*(if|unless|guard|assert|require|elif|else if|when|switch|catch|except)\b")
_LITERAL = re2.compile(r"[\"'`]([^\"'`]{2,60})[\"'`]")
_KEEPS = re2.compile(
    r"(\.append\(|\.push\(|\.add\(|\.put\(|\.set\(|\.setdefault\(|\w\[[^\]]+\]\s*=[^=]|\.store\()",
)
_HOLDER = re2.compile(
    r"(=\s*(\{\}|\[\]|dict\(|list\(|set\(|defaultdict\(|new\s+(Concurrent)?\w*Map|new Map\(|make\(map)|cache)",
)
_QUERY = re2.compile(
    r"(?i)\b(select\s.+\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from|alter\s+table|drop\s+(table|column|index))\b"
)
_OUTWARD = re2.compile(
    r"(?i)(\.(get|post|fetch|query|execute|request|call|send|invoke|find\w*|load\w*)\(|await\s|http\.|requests\.)"
)
_LOOP = re2.compile(r"^\s*(for|while)\b|\.(map|forEach|each)\(")
_VERSION = re2.compile(r"([\w./@\-]{3,})[\"']?\s*(?:[=~^><: ]+)\s*[\"']?v?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing a patch does. `weight`, 0 to 1: how often such a thing breaks systems. `line` is the diff's own."""

    kind: str
    weight: float
    words: str  # "DB_POOL_MAX goes from 40 to 10"
    line: str  # with its mark, as it stands in the diff
    about: tuple[str, ...] = ()  # stems of the name that changed


def effects(patch: Patch) -> list[Effect]:
    """What the patch does, strongest first."""
    found = [*_moved_values(patch), *_verbosity(patch), *_versions(patch), *_dropped_guards(patch), *_renames(patch)]
    found += [*_dropped_checks(patch), *_unbounded_growth(patch), *_new_queries(patch)]
    return sorted(found, key=lambda effect: -effect.weight)


def _moved_values(patch: Patch) -> list[Effect]:
    before, after = settings(patch.removed), settings(patch.added)
    found = [
        _moved(before[name], after[name])
        for name in before
        if name in after and before[name].amount != after[name].amount
    ]
    gone = [before[name] for name in before if name not in after and _CEILINGS & set(terms(name))]
    used_after = {term for line in patch.added for term in terms(line)}
    found += [
        Effect(
            "bound removed",
            0.85,
            f"“{setting.line.strip()[:100]}” is removed",
            f"-{setting.line}",
            tuple(terms(setting.name)),
        )
        for setting in gone
        if not set(terms(setting.name)) <= used_after
    ]
    return found


def _moved(before: Setting, after: Setting) -> Effect:
    name = set(terms(before.name))
    factor = _factor(before.amount, after.amount)
    lowered = after.amount < before.amount
    size = min(1.0, 0.25 + 0.25 * (factor - 1))  # 1.2 × is a nudge, 4 × an event
    towards_harm = (lowered and name & _CEILINGS) or (not lowered and name & _LOADS)
    weight = size * (0.95 if towards_harm else 0.6 if not name & _CEILINGS else 0.3)
    words = f"{before.name} goes from {before.text} to {after.text}"
    return Effect("limit lowered" if lowered else "value raised", weight, words, f"+{after.line}", tuple(sorted(name)))


def _factor(before: float, after: float) -> float:
    small, large = sorted((abs(before), abs(after)))
    return 100.0 if small == 0 else large / small


def _verbosity(patch: Patch) -> list[Effect]:
    before, after = words_set(patch.removed), words_set(patch.added)
    found = []
    for name, (word, _) in before.items():
        then, line = after.get(name, (word, ""))
        if word.lower() in _LEVELS and _LEVELS.get(then.lower(), 9) < _LEVELS[word.lower()]:
            about = ("log", "level", "debug", *terms(name))
            found.append(Effect("verbosity raised", 0.6, f"{name} goes from {word} to {then}", f"+{line}", about))
        elif word != then and word.lower() in ("true", "on", "enabled", "false", "off", "disabled"):
            found.append(
                Effect("switch turned", 0.6, f"{name} goes from {word} to {then}", f"+{line}", tuple(terms(name)))
            )
    return found


def _versions(patch: Patch) -> list[Effect]:
    before = {name: (major, minor, line) for line in patch.removed for name, major, minor, _ in _VERSION.findall(line)}
    found = []
    for line in patch.added:
        for name, major, minor, _ in _VERSION.findall(line):
            if name not in before or before[name][:2] == (major, minor):
                continue  # a patch-level step keeps its promises; see inert.py
            weight = 0.7 if before[name][0] != major else 0.5
            words = f"{name} goes from {'.'.join(before[name][:2])} to {major}.{minor}"
            found.append(Effect("library moved", weight, words, f"+{line}", tuple(terms(name))))
    return found


def _dropped_guards(patch: Patch) -> list[Effect]:
    """Guard words that occur less often afterwards, and conditions that lead out of a function and are gone."""
    before, after = _count(patch.removed), _count(patch.added)
    lost = [word for word in before if word in _GUARDS and before[word] > after[word]]
    found = []
    for word in lost:
        line = next(line for line in patch.removed if word in terms(line))
        weight = 0.8 if after[word] == 0 else 0.5
        found.append(
            Effect("guard removed", weight, f"“{line.strip()[:100]}” is removed", f"-{line}", (word, *terms(line)))
        )
    return found[:3]


def _dropped_checks(patch: Patch) -> list[Effect]:
    """Conditions that the code tested before and does not test any more."""
    before = [line for line in patch.removed if _CHECK.search(line)]
    after = [line for line in patch.added if _CHECK.search(line)]
    if len(before) <= len(after):
        return []
    line = before[0]
    weight = 0.6 if not after else 0.4
    words = f"the check “{line.strip()[:100]}” is removed"
    return [Effect("check removed", weight, words, f"-{line}", ("null", "check", *terms(line)))]


def _count(lines: tuple[str, ...]) -> Counter[str]:
    return Counter(term for line in lines for term in terms(line))


def _renames(patch: Patch) -> list[Effect]:
    """A quoted name replaced by another in an otherwise equal line: the other side may still use the old one."""
    found = []
    for removed, added in zip(patch.removed, patch.added, strict=False):
        old, new = _LITERAL.findall(removed), _LITERAL.findall(added)
        if old == new or len(old) != len(new):
            continue
        if _LITERAL.sub("''", removed).split() == _LITERAL.sub("''", added).split():
            pairs = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
            if any(" " in one or one.startswith("#") for one, _ in pairs) or _is_number(pairs[0][0]):
                continue  # a text for people, a colour, a value: not a name
            words = f"“{pairs[0][0]}” becomes “{pairs[0][1]}”"
            found.append(
                Effect("name changed", 0.6, words, f"-{removed}", tuple(terms(f"{pairs[0][0]} {pairs[0][1]}")))
            )
    return found[:3]


def _is_number(text: str) -> bool:
    return text[:1].isdigit()


def _unbounded_growth(patch: Patch) -> list[Effect]:
    holders = [line for line in patch.added if _HOLDER.search(line)]
    keeps = [line for line in patch.added if _KEEPS.search(line)]
    if not keeps or (not holders and not any("self." in line or "this." in line for line in keeps)):
        return []
    line = keeps[0]
    about = ("memory", "leak", "heap", "unbound", *terms(line))
    return [
        Effect("growth added", 0.55, f"“{line.strip()[:100]}” keeps entries that nothing removes", f"+{line}", about)
    ]


def _new_queries(patch: Patch) -> list[Effect]:
    old = " ".join(patch.removed)
    found = []
    for line in patch.added:
        if _QUERY.search(line) and " ".join(line.split()) not in " ".join(old.split()):
            found.append(Effect("query added", 0.55, f"“{line.strip()[:100]}” is new", f"+{line}", tuple(terms(line))))
    loops = any(_LOOP.search(line) for line in patch.added)
    calls = [line for line in patch.added if _OUTWARD.search(line) and not is_log_line(line)]
    if loops and calls:
        words = f"“{calls[0].strip()[:100]}” now runs inside a loop"
        found.append(Effect("call in a loop", 0.55, words, f"+{calls[0]}", ("query", "latency", *terms(calls[0]))))
    return found[:3]


def is_log_line(line: str) -> bool:
    """Whether the line only writes a log line, a metric or a span attribute."""
    return _LOG_CALL.search(line) is not None
