"""The ranking of services beside their quiet time, for cases in which no change and no circumstance is convicted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.analyst.casefile import Casefile, RankedService, Stray
from agent.analyst.triage import Triage
from agent.analyst.wording import amount, shorten
from tools.analysis.metric_words import kind_of
from tools.generate_report import Suspect

WORTH_NAMING = 1.5  # as far out as in one of thirty quiet times: named as closest, never as the cause
SLACK = timedelta(minutes=2)  # of a departure's beginning, which a coarse step blurs
WHOLE = 10.0  # the surprise that counts as certain, where shares of blame are asked for


def led_by_ranking(case: Casefile, found: Triage) -> Triage:
    """The triage of the time in question with its services as ranked; those that were not ranked come last.

    What departed well before that time is another story: its quiet part may hold earlier ones.
    """
    since = (case.ranked_since or case.began) - SLACK
    moved = tuple(one for one in found.moved if one.onset >= since)
    outbreaks = tuple(one for one in found.outbreaks if one.kind.first_at >= since)
    own = [one.onset for one in moved if one.service == case.ranking[0].service]
    own += [one.kind.first_at for one in outbreaks if one.service == case.ranking[0].service]
    ranked = [(one.service, min(1.0, one.surprise / WHOLE)) for one in case.ranking]
    known = {name for name, _ in ranked}
    smallest = min((share for _, share in ranked), default=1.0)
    seen = {one.service for one in moved} | {one.service for one in outbreaks}
    others = [(name, 0.1 * smallest * share) for name, share in found.ranked if name not in known and name in seen]
    return replace(
        found, moved=moved, outbreaks=outbreaks, ranked=(*ranked, *others), onset=min(own, default=case.ranked_since)
    )


def first_of(case: Casefile) -> RankedService | None:
    """The service to suspect, where its sign is rarer than one in 100 quiet times."""
    first = case.ranking[0] if case.ranking else None
    return first if first is not None and first.is_convincing else None


def unlike_quiet(case: Casefile) -> list[Suspect]:
    """The ranking as suspects of a report. Scores fall with the surprise; the first has 1."""
    highest = case.ranking[0].surprise if case.ranking else 1.0
    return [
        Suspect(
            entity=one.service,
            score=round(min(1.0, one.surprise / highest), 3),
            evidence=[one.signs[0].evidence],
            why=shorten(one.signs[0].words, 480),
        )
        for one in case.ranking
    ]


def kind_of_sign(sign: Stray) -> str:
    match sign.channel:
        case "errors" | "missing lines":
            return "failing code"
        case "call gap":
            return "network"
        case "self time":
            return "slow code"
        case metric:
            return {"saturation": "capacity", "latency": "latency"}.get(kind_of(metric), "failing")


def brief(sign: Stray) -> str:
    """The sign in a few words, for an answer."""
    now, usual = said(sign, sign.now), said(sign, sign.usual)
    match sign.channel:
        case "errors":
            return f"{now} of its requests err, usually {usual}"
        case "missing lines":
            return f"{now} of its runs end early, usually {usual}"
        case "call gap":
            return f"a call to it takes {now} between caller and callee, usually {usual}"
        case "self time":
            return f"its own work takes {now}, usually {usual}"
        case metric:
            return f"{metric} is {now}, usually {usual}"


def said(sign: Stray, value: float) -> str:
    if sign.unit.startswith("%"):
        return f"{value:.3g} %"
    if sign.unit == "ms":
        return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"
    return amount(sign.channel, value)
