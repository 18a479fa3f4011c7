"""What the run page shows, part by part, read with a constant number of queries. No HTML and no request here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.urls import reverse

from runs.audit.chain import Damage, verify_chain
from runs.models import Approval, Evidence, Run, Step, Ticket, ToolCall
from runs.permissions import Verdict, may
from runs.presentation.effects import Effects, effects_of
from runs.presentation.formats import plural
from runs.presentation.looking import looking_at
from runs.presentation.machine import Arrow, Pill, Place, drawing, pills
from runs.presentation.picture import Picture, Shown, draw
from runs.presentation.report_text import chat_text, cited_number, outcome_word, still_happening
from runs.presentation.slices import Cap, Given, caps_of, cost_in_words, given_to
from runs.presentation.timeline import Cycle, cycles, tokens_in_words
from runs.presentation.today import Today, today_of
from runs.presentation.words import REMEDIES, REMEDY, VERDICTS
from runs.states import CallStatus, RunState, StepKind

HIDDEN = "«secret:"  # how what a redaction put in a secret's place begins
SPEAKERS = {"system": "What it is told of its task", "user": "What it is shown"}
DRAWN_TOOLS = frozenset({"query_metrics", "search_logs", "list_changes"})
PICTURE_KEPT_S = 3_600


@dataclass(frozen=True, slots=True)
class Fact:
    """One claim as a row: sentence, verdict, and where it opens its Evidence."""

    id: str
    statement: str
    icon: str
    verdict: str
    cited: str
    evidence: str
    href: str
    detail: str
    is_struck: bool
    is_against: bool


@dataclass(frozen=True, slots=True)
class Hypothesis:
    id: str
    statement: str
    why: str
    facts_for: list[Fact]
    facts_against: list[Fact]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to a model: its size and price in words, and the texts that earlier ones had not said."""

    seq: int
    facts: str
    texts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """An open approval as the run page names it."""

    approval: Approval
    verdict: Verdict


def fact_of(run: Run, claim: Mapping[str, Any]) -> Fact:
    verdict = claim.get("verdict", "")
    icon, words = VERDICTS.get(verdict, ("question", "not checked yet"))
    evidence = claim.get("evidence", "")
    return Fact(
        id=claim.get("id", ""), statement=claim.get("statement", ""), icon=icon,
        verdict=f"{words} from {', '.join(claim.get('based_on', []))}" if verdict == "inference" else words,
        cited=_cited(run, claim), evidence=evidence, href=_evidence_url(run, claim) if evidence else "",
        detail=claim.get("detail", ""), is_struck=verdict == "not_in_evidence",
        is_against=claim.get("role") == "against",
    )  # fmt: skip


def _cited(run: Run, claim: Mapping[str, Any]) -> str:
    if claim.get("kind") == "quote":
        return str(claim.get("quote", ""))
    return cited_number(run, dict(claim)) if claim.get("kind") == "number" else ""


def _evidence_url(run: Run, claim: Mapping[str, Any]) -> str:
    marks = {name: claim[name] for name in ("quote", "figure", "at") if claim.get(name)}
    url = reverse("evidence", args=[run.pk, claim["evidence"]])
    return f"{url}?{urlencode(marks)}" if marks else url


def sent_of(step: Step, payload: Mapping[str, Any]) -> Sent:
    sent, usage = payload["sent"], payload.get("usage", {})
    facts = [str(sent.get("model", ""))]
    facts += [f"{sent['bytes']:,} bytes"] if sent.get("bytes") else []
    facts += [tokens_in_words(usage)] if usage else []
    facts += [f"the first {plural(sent['folded'], 'turn')} in short"] if sent.get("folded") else []
    texts = [(SPEAKERS.get(one.get("role", ""), ""), str(one.get("text", ""))) for one in sent.get("new", [])]
    hidden = sum(text.count(HIDDEN) for _, text in texts)
    facts += [f"{plural(hidden, 'secret')} hidden"] if hidden else []
    return Sent(step.seq, " · ".join(facts), texts)


class RunPage:
    """One run for one person. Parts are read when a template first asks for them."""

    def __init__(self, run: Run, user: User | AnonymousUser, now: datetime) -> None:
        self.run, self.user, self.now = run, user, now
        self.report: dict[str, Any] = run.report or {}

    @property
    def is_final(self) -> bool:
        """Whether the report stands: until then everything on the page may change."""
        return self.run.state == RunState.DONE and bool(self.report)

    @property
    def pills(self) -> list[Pill]:
        return pills(self.run, self.steps)

    @property
    def seconds(self) -> float:
        """How long the run has been going, or took."""
        return ((self.run.finished_at or self.now) - self.run.created_at).total_seconds()

    @cached_property
    def steps(self) -> list[Step]:
        return list(self.run.steps.order_by("seq"))

    @cached_property
    def calls(self) -> list[ToolCall]:
        return list(self.run.calls.all())

    @cached_property
    def cycles(self) -> list[Cycle]:
        return cycles(self.steps, {call.pk: call.args for call in self.calls})

    @cached_property
    def machine(self) -> tuple[list[Place], list[Arrow]]:
        return drawing(self.run, self.steps)

    @cached_property
    def evidence(self) -> list[Evidence]:
        return list(self.run.evidence.defer("body").select_related("call"))

    # Answer

    @property
    def doing(self) -> str:
        """What happens now, in words: what the calls that run look at."""
        running = [call for call in self.calls if call.status == CallStatus.STARTED]
        return looking_at(((call.tool, call.args) for call in running), self.run.as_of)

    @property
    def question(self) -> str:
        """The planner's latest words."""
        planned = (step.payload.get("rationale", "") for step in reversed(self.steps) if step.name == "choose_tools")
        return next(planned, "")

    @property
    def still_happening(self) -> str:
        return still_happening(self.run, self.report)

    @property
    def why_word(self) -> str:
        return outcome_word(self.run.outcome)

    @property
    def checked(self) -> str:
        """`5 of 6 facts checked · 2 ruled out · 1 not checked`."""
        checked, report = self.report.get("checked"), self.report
        parts = [f"{checked['held']} of {checked['total']} facts hold"] if checked and checked.get("total") else []
        ruled_out = len(report.get("ruled_out", [])) or len(self.ruled_out)
        parts += [f"{ruled_out} ruled out"] if ruled_out else []
        parts += [f"{len(report['not_checked'])} not checked"] if report.get("not_checked") else []
        return " · ".join(parts)

    @property
    def looked_at(self) -> str:
        """`in 3 sources`: how much a verdict without a fault rests on."""
        return plural(len({item.source for item in self.evidence if item.source}), "source")

    @cached_property
    def effects(self) -> Effects:
        """What was changed outside, or may have been."""
        return effects_of(self.calls)

    @property
    def remedy(self) -> str:
        """What to do about a failure."""
        return REMEDIES.get(self.run.failure_code, REMEDY)

    # Needs you, do next

    @cached_property
    def requests(self) -> list[Request]:
        return [Request(approval, may(self.user, "vote", approval)) for approval in self.run.open_requests]

    @cached_property
    def tickets(self) -> list[Ticket]:
        return list(self.run.tickets.all())

    @property
    def actions(self) -> list[dict[str, Any]]:
        return list(self.report.get("actions", []))[:3]

    @property
    def chat(self) -> str:
        """The answer as it is copied into a chat."""
        return chat_text(self.run, f"{settings.PUBLIC_URL}{reverse('run', args=[self.run.pk])}")

    # Further questions

    @cached_property
    def further(self) -> list[Run]:
        """The runs that were asked about this one, oldest first."""
        return list(self.run.further.order_by("id")) if self.run.is_terminal else []

    @cached_property
    def sub_runs(self) -> list[Run]:
        """The runs that look into parts of this one."""
        return list(self.run.sub_runs.order_by("place")) if self._has_delegated else []

    @property
    def _has_delegated(self) -> bool:
        return any(step.name == "sub_runs" for step in self.steps)

    @property
    def may_ask(self) -> Verdict:
        return may(self.user, "start", self.run.team)

    # Findings

    @cached_property
    def hypotheses(self) -> dict[str, list[Hypothesis]]:
        grouped: dict[str, list[Hypothesis]] = {"supported": [], "open": [], "refuted": []}
        for item in self.run.hypotheses:
            facts = [fact_of(self.run, claim) for claim in item.get("facts", [])]
            is_refuted = item.get("status") == "refuted"
            against = [fact for fact in facts if fact.is_against or is_refuted]
            shown = Hypothesis(
                item.get("id", ""), item.get("statement", ""), item.get("why", ""),
                [fact for fact in facts if fact not in against], against,
            )  # fmt: skip
            grouped.setdefault(item.get("status", "open"), []).append(shown)
        return grouped

    @property
    def ruled_out(self) -> list[Hypothesis]:
        return self.hypotheses["refuted"]

    @cached_property
    def facts(self) -> list[Fact]:
        """The report's claims; before there is one, what the hypotheses rest on, each once."""
        claims = self.report.get("claims") or _once(self._facts_of_hypotheses())
        return [fact_of(self.run, claim) for claim in claims]

    @cached_property
    def did_not_hold(self) -> list[Fact]:
        return [fact_of(self.run, claim) for claim in self.report.get("did_not_hold", [])]

    def _facts_of_hypotheses(self) -> Iterable[dict[str, Any]]:
        return (claim for item in self.run.hypotheses for claim in item.get("facts", []))

    @cached_property
    def picture(self) -> Picture | None:
        """The lanes; kept for an hour, for a page that is looked at by many reads bodies only once."""
        claims = self.report.get("claims") or list(self._facts_of_hypotheses())
        onset = self.report.get("onset", "")
        key = f"picture:{self.run.pk}:{len(self.evidence)}:{len(claims)}:{onset}".replace(" ", "_")
        if (kept := cache.get(key)) is not None:
            return kept or None
        bodies = self.run.evidence.filter(call__tool__in=DRAWN_TOOLS).select_related("call")
        shown = [Shown(item.name, item.call.tool, item.data) for item in bodies]
        picture = draw(shown, claims, onset, self.run.as_of)
        cache.set(key, picture or False, PICTURE_KEPT_S)
        return picture

    # Folded

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The sources as the run found them at its beginning; before that, their names."""
        begun = next((step for step in self.steps if step.name == "begin"), None)
        found: list[dict[str, Any]] = begun.payload.get("sources", []) if begun else []
        return found or [{"name": source["name"]} for source in self.run.sources]

    @cached_property
    def sent(self) -> list[Sent]:
        """What left for a model, one entry a call."""
        calls = [(step, step.payload) for step in self.steps if step.kind == StepKind.MODEL_CALL]
        return [sent_of(step, payload) for step, payload in calls if payload.get("sent")]

    @cached_property
    def damage(self) -> Damage | None:
        return verify_chain(self.run.pk, self.run.n_steps, self.run.head_mac, self.steps)

    @property
    def budget(self) -> list[Cap]:
        return caps_of(self.run)

    @cached_property
    def given(self) -> list[Given]:
        """What its sub-runs were given of its budget, and what became of it."""
        return given_to(self.sub_runs, self.calls)

    @property
    def cost(self) -> str:
        return cost_in_words(self.run, self.sub_runs)

    @cached_property
    def today(self) -> Today:
        """What this person may know of the money of the day."""
        return today_of(self.user)

    # What this person may do

    @cached_property
    def may_cancel(self) -> Verdict:
        return may(self.user, "cancel", self.run)

    @cached_property
    def may_note(self) -> Verdict:
        return may(self.user, "note", self.run)


def _once(claims: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for claim in claims:
        kept.setdefault((claim.get("id", ""), claim.get("statement", "")), claim)
    return list(kept.values())
