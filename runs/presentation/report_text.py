"""The report as Markdown: for the terminal, the API, the page's download and a ticket. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from runs.audit.chain import verify_chain
from runs.models import Evidence, Run, Ticket
from runs.presentation.display import reveal
from runs.presentation.effects import effects_of
from runs.presentation.formats import ago, clock, duration, number, plural, zone_name
from runs.presentation.slices import cost_in_words
from runs.presentation.words import REMEDIES, REMEDY, VERDICTS, badge_of
from runs.states import ApprovalState, Outcome, RunState

_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\`*[]<>|"})


def report_markdown(run: Run) -> str:
    """The whole report. A run without one gets its goal, its state and the best guess so far. Costs four queries."""
    report = run.report or {}
    parts = [_head(run, report), _why(run, report)] if report else [_nothing_yet(run)]
    if report and run.state == RunState.FAILED:
        parts.insert(1, _failure(run))
    if report:
        parts += [
            _do_next(report), _tickets(run), _timeline(run, report), _claims(run, report), _did_not_hold(report),
            _ruled_out(report), _not_checked(report), _evidence(run),
        ]  # fmt: skip
    return "\n\n".join([part for part in parts if part] + [_footer(run)]) + "\n"


def chat_text(run: Run, url: str) -> str:
    """The answer in at most six lines of plain text, for a chat."""
    report, badge = run.report or {}, badge_of(run, timezone.now())
    cause = (report.get("root_cause") or {}).get("mechanism", "")
    action = next((item["text"] for item in report.get("actions", [])), "")
    began = f"Began {clock(report['onset'], run.as_of)} {zone_name(run.as_of)}. " if report.get("onset") else ""
    lines = [
        f"{badge.glyph} {badge.word} {report.get('severity', '')}".strip(),
        report.get("summary") or run.answer or run.goal,
        cause,
        (began + still_happening(run, report).capitalize()).strip(),
        f"Next: {action}" if action else "",
        url,
    ]
    return "\n".join(reveal(" ".join(line.split())) for line in lines if line)


def inline(text: object) -> str:
    """Text from outside on one line, with nothing that Markdown or HTML would act upon."""
    return reveal(" ".join(str(text).split())).translate(_MARKDOWN)


def code(text: object) -> str:
    """A code span that holds any text: its fence is longer than any run of backticks inside."""
    flat = reveal(" ".join(str(text).split())).replace("|", "¦")
    longest = max((len(run) for run in _backticks(flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _backticks(text: str) -> Iterator[str]:
    return (part for part in "".join(char if char == "`" else " " for char in text).split())


def evidence_of(claim: dict[str, Any]) -> list[str]:
    return [claim["evidence"]] if claim.get("evidence") else []


def _nothing_yet(run: Run) -> str:
    badge = badge_of(run, timezone.now())
    lines = [f"# {inline(run.goal)}", f"**{badge.glyph} {badge.word}**"]
    if run.state == RunState.FAILED:
        lines.append(_failure(run))
    elif run.answer:
        lines.append(f"Best guess so far, may change: {inline(run.answer)}")
    else:
        lines.append("There is no report yet.")
    return "\n\n".join(lines)


def _failure(run: Run) -> str:
    """What broke, what that left outside, and what to do."""
    effects = effects_of(run.calls.all())
    sent = [f"- {call.tool}: {inline(call.words)}" for call in effects.sent]
    what = f"{inline(run.failure)} (`{run.failure_code}`)"
    return "\n\n".join([what, "\n".join([effects.verdict, *sent]), REMEDIES.get(run.failure_code, REMEDY)])


def _head(run: Run, report: dict[str, Any]) -> str:
    severity = f" ({report['severity']})" if report.get("severity") else ""
    badge = badge_of(run, timezone.now())
    facts = [f"**{badge.glyph} {badge.word}**"]
    if report.get("partial") and not run.is_terminal:
        facts.append("so far, may change")
    if report.get("onset"):
        facts.append(f"began {clock(report['onset'], run.as_of)}")
    facts += [still_happening(run, report)] if still_happening(run, report) else []
    facts += [", ".join(inline(name) for name in report["affected"][:8])] if report.get("affected") else []
    facts.append(f"times {zone_name(run.as_of)}")
    head = f"# {inline(report.get('summary') or run.goal)}{severity}\n{' · '.join(facts)}"
    mechanism = (report.get("root_cause") or {}).get("mechanism")
    return f"{head}\n\n> {inline(mechanism)}" if mechanism else head


def still_happening(run: Run, report: dict[str, Any]) -> str:
    """`still happening at 03:12 (latest 5.02 s, normal 0.18 s)`; empty where nobody looked or nothing was wrong."""
    scope = report.get("still_happening") or {}
    if scope.get("ongoing") is None or run.outcome == Outcome.NO_FAULT:
        return ""
    state = "still happening" if scope["ongoing"] else "over"
    values = ", ".join(f"{word} {inline(scope[word])}" for word in ("latest", "normal") if scope.get(word))
    return f"{state} at {clock(run.as_of, run.as_of)}" + (f" ({values})" if values else "")


def _why(run: Run, report: dict[str, Any]) -> str:
    why = report.get("why_label") or {}
    label = outcome_word(run.outcome)
    lines = []
    if why.get("met"):
        lines.append(f"*Why {label}:* " + _sentence("; ".join(why["met"])))
    if why.get("unmet"):
        lines.append("Missing: " + _sentence("; ".join(why["unmet"])))
    if run.stopped_by:
        lines.append(f"Stopped early: {inline(run.stopped_by)}. This report covers what was seen.")
    return "\n".join(lines)


def outcome_word(outcome: str) -> str:
    """The label as it stands in "Why …?": confirmed, likely, no clear cause, no fault."""
    words = {Outcome.CONFIRMED: "confirmed", Outcome.LIKELY: "likely, not confirmed", Outcome.NO_FAULT: "no fault"}
    return words.get(Outcome(outcome), "no clear cause") if outcome else "so far"


def _sentence(text: str) -> str:
    flat = inline(text)
    return flat if flat.endswith((".", "!", "?")) else f"{flat}."


def _do_next(report: dict[str, Any]) -> str:
    rows = []
    for place, action in enumerate(report.get("actions", []), start=1):
        words = [_sentence(action["text"])]
        words += [f"Run {code(action['command'])}."] if action.get("command") else []
        words += [f"Undo: {_sentence(action['undo'])}"] if action.get("undo") else []
        rows.append(f"{place}. {' '.join(words)} *Not done by OpsPilot.*")
    return "## Do next\n" + "\n".join(rows) if rows else ""


def _tickets(run: Run) -> str:
    lines = [
        _ticket_line(run, ticket) for ticket in run.tickets.select_related("call").prefetch_related("call__approvals")
    ]
    for approval in run.approvals.filter(state=ApprovalState.PENDING):
        sentence = inline(approval.preview.get("sentence", approval.tool))
        asks = "Did this happen?" if approval.is_question else "Waiting for a decision:"
        lines.append(f"{asks} {sentence} Asked {clock(approval.asked_at, run.as_of, seconds=True)}.")
    return "\n".join(lines)


def _ticket_line(run: Run, ticket: Ticket) -> str:
    words = []
    for approval in ticket.call.approvals.all():
        words.append(f"requested {clock(approval.asked_at, run.as_of, seconds=True)}")
        if approval.decided_at:
            who = inline(approval.decided_by.removeprefix("user:"))
            words.append(f"approved by {who} {clock(approval.decided_at, run.as_of, seconds=True)}")
    words.append(f"{inline(ticket.name)} created {clock(ticket.created_at, run.as_of, seconds=True)}")
    return "Ticket: " + " · ".join(words) + (f" · <{ticket.url}>" if ticket.url.startswith("https://") else "")


def _timeline(run: Run, report: dict[str, Any]) -> str:
    rows = [
        f"| {clock(item['at'], run.as_of)} | {inline(item['text'])} | {' '.join(item.get('evidence', []))} |"
        for item in report.get("timeline", [])
    ]
    return _table("Timeline", "when", "what", "evidence", rows)


def _claims(run: Run, report: dict[str, Any]) -> str:
    rows = [
        f"| {claim['id']} | {inline(claim['statement'])} | {_verdict(run, claim)} | {claim.get('evidence') or '–'} |"
        for claim in report.get("claims", [])
    ]
    return _table("Claims", "claim", "statement", "verdict", rows, "evidence")


def _table(title: str, first: str, second: str, third: str, rows: list[str], fourth: str = "") -> str:
    names = [first, second, third] + ([fourth] if fourth else [])
    rule = "|" + " --- |" * len(names)
    return "\n".join([f"## {title}", f"| {' | '.join(names)} |", rule, *rows]) if rows else ""


def _verdict(run: Run, claim: dict[str, Any]) -> str:
    verdict = claim.get("verdict", "")
    mark = {"check": "✓", "cross": "✗", "empty": "∅", "therefore": "∴"}
    icon, words = VERDICTS.get(verdict, ("question", verdict or "not checked"))
    glyph = mark.get(icon, "?")
    match verdict:
        case "quote_found":
            return f"{glyph} {words}: {code(claim.get('quote', ''))}"
        case "number_matches":
            return f"{glyph} {words}: {code(cited_number(run, claim))}"
        case "inference":
            return f"{glyph} {words} from {', '.join(claim.get('based_on', []))}"
        case _:
            return f"{glyph} {words}" + (f": {inline(claim['detail'])}" if claim.get("detail") else "")


def cited_number(run: Run, claim: dict[str, Any]) -> str:
    """`db_pool_active = 10 at 02:14`: the number a claim rests on, as one would say it."""
    unit = f" {claim['unit']}" if claim.get("unit") else ""
    at = f" at {clock(claim['at'], run.as_of)}" if claim.get("at") else ""
    return f"{claim.get('figure', '')} = {number(claim.get('value'))}{unit}{at}"


def _did_not_hold(report: dict[str, Any]) -> str:
    rows = [
        f"- ~~{inline(claim['statement'])}~~ ✗ not in evidence"
        + (f": {inline(claim['detail'])}" if claim.get("detail") else "")
        for claim in report.get("did_not_hold", [])
    ]
    return "## Did not hold\n" + "\n".join(rows) if rows else ""


def _ruled_out(report: dict[str, Any]) -> str:
    rows = [
        f"- **R{place} {inline(item['statement'])}**: {inline(item['why'])}" + _in_brackets(item.get("evidence", []))
        for place, item in enumerate(report.get("ruled_out", []), start=1)
    ]
    return "## Ruled out\n" + "\n".join(rows) if rows else ""


def _in_brackets(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _not_checked(report: dict[str, Any]) -> str:
    rows = [
        f"- {inline(item['what'])}: {_sentence(item['why'])}"
        + (f" Would decide: {_sentence(item['would_decide'])}" if item.get("would_decide") else "")
        for item in report.get("not_checked", [])
    ]
    return "## Not checked\n" + "\n".join(rows) if rows else ""


def _evidence(run: Run) -> str:
    rows = [_evidence_line(run, item) for item in run.evidence.defer("body").select_related("call")]
    return "## Evidence\n" + "  \n".join(rows) if rows else ""


def _evidence_line(run: Run, item: Evidence) -> str:
    found = item.summary.partition(";")[0]  # the page shows all of it
    parts = [f"{item.name} {item.call.tool}", inline(item.source), asked_range(run, item), inline(found)]
    if item.freshness:
        parts.append(f"newest row {ago(item.freshness, run.as_of)}")
    if item.skipped:
        parts.append(f"{plural(item.skipped, 'malformed row')} skipped")
    return " · ".join([part for part in parts if part] + [f"sha256 {item.sha256[:8]}…"])


def asked_range(run: Run, item: Evidence) -> str:
    """`22:12–03:12`: the range that was asked for, where the query has one."""
    since, until = item.query.get("since"), item.query.get("until")
    return f"{clock(since, run.as_of)}–{clock(until, run.as_of)}" if since and until else ""


def _footer(run: Run) -> str:
    planner = f"Claude ({inline(run.model)})" if run.planner == "claude" else "offline analyst"
    spent = ", ".join([
        plural(run.cycle, "cycle"), plural(run.n_tool_calls, "tool call"), duration(run.driven_ms / 1_000),
        cost_in_words(run, run.sub_runs.all()),
    ])  # fmt: skip
    damage = verify_chain(run.pk, run.n_steps, run.head_mac, run.steps.order_by("seq").iterator())
    chain = f"audit chain broken: {damage}" if damage else f"audit chain intact, {plural(run.n_steps, 'step')}"
    who = inline(run.started_by.removeprefix("user:"))
    return f"---\nRun {run.pk} · {planner} · {spent} · “{inline(run.goal)}”, started by {who} · {chain}"
