"""The stand-in's own investigation: no model, only the next obvious call. It shows the Claude path, not Claude's skill.

It reads nothing but the request, as a model does: which tools are offered, and what the results so far say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.claude.fake.accounting import as_blocks

Block = dict[str, Any]
HEAD = re.compile(r"^(E\d+) · (\w+) · (\w+)", re.MULTILINE)
TEMPLATE = re.compile(r"^template ×(\d+) (\S*) (\S+) to (\S+): (.+)$", re.MULTILINE)
LINE = re.compile(r"^line (\S+) (\S*) \S*: (.+[^…])$", re.MULTILINE)
CHANGE = re.compile(r"^change (\S+) (\w+) id “([^”]+)” ([^\s:]*)[^:]*: (.+[^…])$", re.MULTILINE)
SERIES = re.compile(r"^series “([^”]+)” [^:]*:.*?\bmax ([-\d.e+]+)", re.MULTILINE)
TOTAL = re.compile(r"^figures:.*?\btotal = (\d+)", re.MULTILINE)
FAILED_CLAIM = re.compile(r"^(C\d+): ", re.MULTILINE)


@dataclass
class Seen:
    """What the results say, by the kind of tool that said it."""

    texts: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)  # tool → (evidence, status, text)
    failed_claims: set[str] = field(default_factory=set)

    def all(self, tool: str) -> list[tuple[str, str, str]]:
        return self.texts.get(tool, [])


def investigate(body: dict[str, Any]) -> list[Block]:
    """The content of the next answer."""
    offered = {tool["name"]: tool["input_schema"] for tool in body.get("tools", [])}
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    seen = _seen(body["messages"])
    calls = list(_calls(offered, seen, body, turn))
    if not calls:
        return [{"type": "text", "text": "No tool is offered with which this could be investigated."}]
    if "update_hypotheses" in offered:
        calls.insert(0, ("update_hypotheses", _note(seen)))
    return [
        {"type": "tool_use", "id": f"toolu_{turn:02d}_{index}", "name": name, "input": arguments}
        for index, (name, arguments) in enumerate(calls)
    ]


def _calls(
    offered: dict[str, Any], seen: Seen, body: dict[str, Any], turn: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Wide first, then rivals side by side where that is offered, then milder lines of the loudest service.

    At last a ticket where one is asked for, and the report.
    """
    first: list[tuple[str, dict[str, Any]]] = [
        ("search_logs", {"pattern": "", "level": "ERROR", "limit": 20, "ignore_case": True}),
        ("query_metrics", {"name": "*", "aggregation": "avg", "step_s": 60}),
        ("list_changes", {"kind": ""}),
        ("query_traces", {"errors_only": True, "limit": 10}),
    ]
    wide = [(name, arguments) for name, arguments in first if name in offered and not seen.all(name)]
    service = _loudest(seen)[1]
    if wide:
        yield from [(name, _complete(arguments, offered[name])) for name, arguments in wide]
    elif "investigate_hypotheses" in offered and not seen.all("investigate_hypotheses") and (rivals := _rivals(seen)):
        yield "investigate_hypotheses", {"questions": rivals}
    elif "search_logs" in offered and len(seen.all("search_logs")) == 1:
        arguments = {"pattern": "", "level": "WARN", "service": service, "limit": 20, "ignore_case": True}
        yield "search_logs", _complete(arguments, offered["search_logs"])
    elif "create_ticket" in offered and _asks_for_ticket(body) and not seen.all("create_ticket"):
        yield "create_ticket", _ticket(seen)
    elif "generate_report" in offered:
        yield "generate_report", _report(seen)


def _complete(arguments: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Strict tools want every argument: what is not chosen is empty text. What the schema does not know is left out."""
    properties = schema.get("properties", {})
    empty = {name: "" for name, field in properties.items() if field.get("type") == "string" or "enum" in field}
    return {name: value for name, value in (empty | {"errors_only": False} | arguments).items() if name in properties}


def _seen(messages: list[dict[str, Any]]) -> Seen:
    seen = Seen()
    names: dict[str, str] = {}
    for message in messages:
        for block in as_blocks(message["content"]):
            if block["type"] == "tool_use":
                names[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                _take(seen, names[block["tool_use_id"]], block)
    return seen


def _take(seen: Seen, name: str, block: Block) -> None:
    text = as_blocks(block["content"])[0]["text"]
    if name == "generate_report":
        seen.failed_claims |= set(FAILED_CLAIM.findall(text))
        return
    head = HEAD.search(text)
    evidence, status = (head[1], head[3]) if head else ("", "none")
    seen.texts.setdefault(name, []).append((evidence, status, text))


def _asks_for_ticket(body: dict[str, Any]) -> bool:
    return "A ticket is asked for." in as_blocks(body["messages"][0]["content"])[0]["text"]


def _loudest(seen: Seen) -> tuple[int, str, str, str]:
    """The most frequent error template: count, service, first seen, text."""
    found = [TEMPLATE.findall(text) for _, _, text in seen.all("search_logs")]
    rows = [(int(row[0]), row[1], row[2], row[4]) for rows in found for row in rows]
    return max(rows, default=(0, "", "", ""))


def _suspect_change(seen: Seen) -> tuple[str, str, str, str, str] | None:
    """The last change before the loudest errors began: evidence, time, id, service, words."""
    _, _, onset, _ = _loudest(seen)
    before = [
        (evidence, at, ident, service, words)
        for evidence, _, text in seen.all("list_changes")
        for at, _kind, ident, service, words in CHANGE.findall(text)
        if not onset or at <= onset
    ]
    return max(before, key=lambda change: change[1], default=None)


def _note(seen: Seen) -> dict[str, Any]:
    count, service, onset, template = _loudest(seen)
    if not count:
        return {"rationale": "Which errors, metrics and changes stand out?", "answer": "", "hypotheses": []}
    hypotheses = [{"id": "H1", "statement": f"{service} fails by itself: {template}"[:300], "status": "open"}]
    if change := _suspect_change(seen):
        hypotheses.append({"id": "H2", "statement": f"{change[4]} brought it on"[:300], "status": "open"})
    who = service or "One service"
    return {
        "rationale": f"{who} logs {count} similar errors since {_clock(onset)}. What came just before?",
        "answer": f"{service} fails since {_clock(onset)}",
        "hypotheses": hypotheses,
    }


def _rivals(seen: Seen) -> list[dict[str, str]]:
    """A question a hypothesis, where there is more than one."""
    hypotheses = _note(seen)["hypotheses"]
    asked = [{"hypothesis": one["id"], "question": f"Is it true that {one['statement']}?"} for one in hypotheses]
    return asked if len(asked) > 1 else []


def _claims(seen: Seen) -> list[dict[str, Any]]:
    """One claim a kind of evidence, each copied from a result."""
    claims: list[dict[str, Any]] = []
    for evidence, status, text in seen.all("search_logs")[:1]:
        if status == "no_data":
            claims.append(
                {"statement": "No error was logged.", "kind": "absence", "role": "healthy", "evidence": evidence}
            )
        if total := TOTAL.search(text):
            claims.append(_number(evidence, "total", float(total[1]), "Matching lines in the range."))
        if line := LINE.search(text):
            claims.append(_quote(evidence, line[3], "symptom", f"{line[2] or 'A service'} logs this error."))
    for evidence, _, text in seen.all("query_metrics")[:1]:
        if series := SERIES.search(text):
            claims.append(_number(evidence, f"{series[1]} max", float(series[2]), f"The peak of {series[1]}."))
    if change := _suspect_change(seen):
        claims.append(_quote(change[0], change[4], "change", "The last change before the errors began."))
    numbered = [{"id": f"C{index}", **claim} for index, claim in enumerate(claims, 1)]
    return [claim for claim in numbered if claim["id"] not in seen.failed_claims]


def _quote(evidence: str, quote: str, role: str, statement: str) -> dict[str, Any]:
    return {"statement": statement, "kind": "quote", "role": role, "evidence": evidence, "quote": quote}


def _number(evidence: str, figure: str, value: float, statement: str) -> dict[str, Any]:
    return {"statement": statement, "kind": "number", "evidence": evidence, "figure": figure, "value": value}


def _report(seen: Seen) -> dict[str, Any]:
    count, service, onset, template = _loudest(seen)
    report: dict[str, Any] = {
        "claims": _claims(seen),
        "not_checked": [{"what": "everything a model would have thought of", "why": "this is a stand-in, no model"}],
    }
    if not count:
        is_quiet = any(status == "no_data" for _, status, _ in seen.all("search_logs"))
        summary = "No errors were found in the range." if is_quiet else "Nothing decisive was found."
        return report | {"verdict": "no_fault" if is_quiet else "cannot_tell", "summary": summary}
    change = _suspect_change(seen)
    cause = {
        "entity": service or "unknown",
        "kind": "code change" if change else "unknown",
        "change_id": change[2] if change else None,
        "mechanism": f"{template[:300]}, repeated {count} times",
    }
    return report | {
        "verdict": "cause",
        "summary": f"{service} fails since {_clock(onset)}" + (", just after the last change." if change else "."),
        "root_cause": cause,
        "onset": onset,
        "first_failing": service,
        "affected": [service] if service else [],
    }


def _ticket(seen: Seen) -> dict[str, Any]:
    count, service, onset, template = _loudest(seen)
    change = _suspect_change(seen)
    body = f"{count} lines like:\n\n    {template}\n\nFirst seen {_clock(onset)}."
    body += f"\n\nLast change before it: {change[4]} ({change[1]})." if change else ""
    title = f"{service or 'A service'} logs errors since {_clock(onset) or 'an unknown time'}"
    return {"title": title[:200], "body": body, "service": service, "severity": "SEV3"}


def _clock(at: str) -> str:
    """An ISO time to the minute, for sentences."""
    return f"{at[11:16]} UTC" if at else ""
