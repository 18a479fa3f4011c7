"""AnalystPlanner: the offline planner. It holds nothing between calls; the transcript says how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.analyst.casefile import Casefile, read
from agent.analyst.conclusion import conclude
from agent.analyst.explanation import Assessment, assess, say
from agent.analyst.facts import Fact, numbered
from agent.analyst.grounds import facts_for
from agent.analyst.questions import Question, closer_look, cross_check, first_look, quiet_look
from agent.analyst.rivals import Rival, rivals
from agent.analyst.ticket import TICKET_TOOLS, ticket_request
from agent.analyst.wording import capital, iso
from agent.planner import BudgetLeft, Hypothesis, Move, ToolDescription, ToolRequest, Transcript

ENOUGH_CALLS = 8  # what a whole cycle may ask for
ENOUGH_STEPS = 14  # transitions and calls of one cycle and the conclusion
SUPPORTED_AFTER = 2  # cycles of evidence before an explanation counts as supported


class AnalystPlanner:
    """Decides by the algorithm of this room. Pure: the same transcript always gives the same move."""

    name = "analyst"
    ceiling_micro_usd = 0

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        case = read(transcript)
        if not case.has_asked("metrics") and not case.moves and tools:
            question = first_look(transcript, tools)
            if question.requests:
                on_text(question.rationale)
                return Move(question.rationale, question.requests, answer="")
        assessed = assess(case)
        question_next = _next_question(assessed, tools) if _can_go_on(case, budget) else None
        move = _ask(assessed, question_next) if question_next else _finish(assessed, tools)
        on_text(move.rationale)
        return move


def _can_go_on(case: Casefile, budget: BudgetLeft) -> bool:
    return (
        not case.rejected
        and budget.tool_calls >= ENOUGH_CALLS
        and budget.steps >= ENOUGH_STEPS
        and budget.model_calls >= 2
    )


def _next_question(assessed: Assessment, tools: Sequence[ToolDescription]) -> Question | None:
    """The next look that has not been taken; each is taken once."""
    case = assessed.case
    looks = len([move for move in case.moves if not _is_ticket(move)])
    if assessed.best is None:
        return quiet_look(case, tools) if looks == 1 else None
    if looks == 1:
        return closer_look(assessed, tools)
    return cross_check(assessed, tools) if looks == 2 else None


def _is_ticket(move: Move) -> bool:
    return any(request.tool in TICKET_TOOLS for request in move.requests)


def _ask(assessed: Assessment, question: Question) -> Move:
    return Move(question.rationale, question.requests, hypotheses_of(assessed), say(assessed) if assessed.best else "")


def _finish(assessed: Assessment, tools: Sequence[ToolDescription]) -> Move:
    """A ticket first, where one is wanted and a fault was found; then the conclusion, alone."""
    if _wants_ticket(assessed, tools):
        why, request = ticket_request(assessed, {tool.name for tool in tools})
        return Move(why, (request,), hypotheses_of(assessed), say(assessed))
    request = ToolRequest("conclusion", "generate_report", conclude(assessed))
    return Move("The evidence is in; every claim is taken from it.", (request,), hypotheses_of(assessed), say(assessed))


def _wants_ticket(assessed: Assessment, tools: Sequence[ToolDescription]) -> bool:
    writes = ("create_ticket", "comment_on_ticket")
    asked = any(request.tool in writes for move in assessed.case.moves for request in move.requests)
    offered = any(tool.name == "create_ticket" for tool in tools)
    return assessed.case.transcript.wants_ticket and assessed.best is not None and offered and not asked


def hypotheses_of(assessed: Assessment) -> tuple[Hypothesis, ...]:
    """The explanation held best and its rivals. A statement keeps its id over the run."""
    best = assessed.best
    if best is None:
        return ()
    looks = len(assessed.case.moves)
    settled = looks >= SUPPORTED_AFTER and best.is_convicted
    lead = replace(
        _hypothesis(
            capital(best.statement),
            "supported" if settled else "open",
            facts_for(assessed),
            best.mechanism,
            best.entity,
        ),
        began=iso(assessed.found.onset) if assessed.found.onset else "",
    )
    others = [_of_rival(rival) for rival in rivals(assessed)[:6]]
    ids = _ids([one.statement for one in (lead, *others)], assessed.case)
    return tuple(replace(one, id=ids[one.statement]) for one in (lead, *others))


def _of_rival(rival: Rival) -> Hypothesis:
    return _hypothesis(
        rival.statement, "open" if rival.is_open else "refuted", list(rival.facts), rival.why, rival.entity
    )


def _hypothesis(statement: str, status: str, facts: Sequence[Fact], why: str, entity: str) -> Hypothesis:
    return Hypothesis("", statement, status, numbered(facts), why, entity)  # type: ignore[arg-type]


def _ids(statements: Sequence[str], case: Casefile) -> dict[str, str]:
    known: dict[str, str] = {}
    for move in case.moves:
        for one in move.hypotheses:
            known.setdefault(one.statement, one.id)
    used = {int(name[1:]) for name in known.values() if name[1:].isdigit()}
    for statement in statements:
        if statement not in known:
            number = max(used, default=0) + 1
            used.add(number)
            known[statement] = f"H{number}"
    return known
