"""The explanation that the evidence carries best: a change, a circumstance, or a service that fails by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import re2

from agent.analyst.casefile import Casefile, RankedService
from agent.analyst.circumstances import Circumstance, circumstances
from agent.analyst.moved import Moved
from agent.analyst.ranked import brief, first_of, kind_of_sign, led_by_ranking
from agent.analyst.suspects import Suspect, judge_changes
from agent.analyst.triage import Triage, triage
from agent.analyst.wording import amount, answer, capital, change_words, clock, label, names, shorten

CIRCUMSTANCE_CONVICTS = 0.4
JUST_BEFORE = 0.6  # of a timing that halves every 30 minutes: 22 minutes
_SETTINGS = re2.compile(
    r"(?i)\.(ya?ml|json|toml|ini|cfg|conf|properties|env|tf|tfvars|hcl)$|(^|/)go\.(mod|sum)$|requirements[\w.\-]*\.txt$|package(-lock)?\.json$|\.lock$|dockerfile"
)
_SCHEMA = re2.compile(r"(?i)\.sql$|(^|/)migrations?/")
_MISSING = re2.compile(r"(?i)does not exist|no such (table|column)|unknown column|undefined (table|column)")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is held to be the cause. `score` is 0 to 1 and no probability."""

    entity: str
    kind: str
    score: float
    statement: str
    mechanism: str
    remediation: str
    suspect: Suspect | None = None
    circumstance: Circumstance | None = None
    ranked: RankedService | None = None  # the service itself, unlike its quiet time; nothing says what set it off

    @property
    def is_convicted(self) -> bool:
        return self.suspect is not None or self.circumstance is not None or self.ranked is not None

    @property
    def is_by_timing_alone(self) -> bool:
        """Nothing but its moment speaks against the change: its diff is not in the sources."""
        return self.suspect is not None and not self.suspect.judged.convicts


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is judged of a case at one moment."""

    case: Casefile
    found: Triage
    suspects: tuple[Suspect, ...]
    circumstances: tuple[Circumstance, ...]
    best: Explanation | None  # None: nothing departed

    @property
    def affected(self) -> list[str]:
        """Services that suffer, the faulty one not counted, hardest hit first."""
        entity = self.best.entity if self.best else ""
        if self.best and self.best.ranked:
            return [one.service for one in self.case.ranking[1:] if one.is_convincing]
        felt = [one for one in self.found.moved if one.kind in ("error", "latency", "availability", "efficiency")]
        hit = {one.service for one in felt if one.is_strong} | {one.service for one in self.found.outbreaks}
        return [name for name in self.found.services if name in hit and name != entity]


def assess(case: Casefile) -> Assessment:
    found = triage(case)
    suspects = judge_changes(case, found)
    others = circumstances(case, found)
    best = _best(found, suspects, others)
    first = first_of(case)
    if first is not None and (best is None or not best.is_convicted):
        found = led_by_ranking(case, found)
        best = _by_ranking(first)
    return Assessment(case, found, tuple(suspects), tuple(others), best)


def _best(found: Triage, suspects: Sequence[Suspect], others: Sequence[Circumstance]) -> Explanation | None:
    if found.onset is None:
        return None
    first = suspects[0] if suspects and suspects[0].judged.convicts else None
    other = others[0] if others and others[0].score >= CIRCUMSTANCE_CONVICTS else None
    if other and (first is None or other.score > first.judged.score):
        return _by_circumstance(found, other)
    first = first or _just_before(found, suspects)
    return _by_change(found, first) if first else _unexplained(found)


def _just_before(found: Triage, suspects: Sequence[Suspect]) -> Suspect | None:
    """The one change of the leading service right before the onset, where nobody recorded what it holds."""
    assert found.onset is not None  # noqa: S101
    near = [
        one for one in suspects
        if not one.judged.cleared and one.judged.has_no_diff and one.change.kind == "deploy"
        and one.judged.candidate.service == found.leader and one.judged.timing >= JUST_BEFORE
    ]  # fmt: skip
    return near[0] if len(near) == 1 else None


def _by_change(found: Triage, suspect: Suspect) -> Explanation:
    change, judged = suspect.change, suspect.judged
    entity = entity_of(found, suspect)
    live = judged.candidate.live_at or change.at
    did = judged.effect.words if judged.effect else f"“{shorten(change.title, 100)}”"
    went_live = f"{change_words(change, suspect.deploy, entity)} went live at {clock(live)}: {did}."
    return Explanation(
        entity=entity,
        kind=kind_of_change(suspect),
        score=judged.score,
        statement=f"{change_words(change, suspect.deploy, entity)} broke {entity}",
        mechanism=capital(f"{went_live} {_what_followed(found, entity)}"),
        remediation=_remedy(found, suspect),
        suspect=suspect,
    )


def entity_of(found: Triage, suspect: Suspect) -> str:
    """The service the change reached; of several, the one that leads."""
    reached = suspect.judged.candidate.service
    if reached in found.services:
        return reached
    return found.leader


def kind_of_change(suspect: Suspect) -> str:
    change = suspect.change
    if change.kind == "flag":
        return "feature flag"
    if change.files and all(_SETTINGS.search(name) for name in change.files):
        return "configuration"
    effect = suspect.judged.effect
    settings_line = effect is not None and any(_SETTINGS.search(name) for name in change.files)
    if (
        settings_line
        and effect is not None
        and effect.kind in ("limit lowered", "value raised", "verbosity raised", "switch turned")
    ):
        return "configuration"
    if change.files and all(_SCHEMA.search(name) for name in change.files):
        return "schema"
    return "code change"


def _remedy(found: Triage, suspect: Suspect) -> str:
    kind = kind_of_change(suspect)
    if kind == "feature flag":
        return "flag-off"
    adds_only = suspect.judged.effect is not None and suspect.judged.effect.kind == "query added"
    if adds_only and any(_MISSING.search(one.kind.example) for one in found.outbreaks):
        return "roll-forward"
    return "config-revert" if kind == "configuration" else "rollback"


def _by_circumstance(found: Triage, other: Circumstance) -> Explanation:
    mechanism = f"{other.statement} {_what_followed(found, found.leader)}"
    return Explanation(
        other.entity,
        other.kind,
        other.score,
        other.statement.rstrip("."),
        mechanism,
        other.remediation,
        circumstance=other,
    )


def _by_ranking(first: RankedService) -> Explanation:
    sign = first.signs[0]
    return Explanation(
        entity=first.service,
        kind=kind_of_sign(sign),
        score=0.35,
        statement=f"{first.service} is unlike its quiet time: {brief(sign)}",
        mechanism=f"Of all services {first.service} strays most from its own quiet time: {sign.words}.",
        remediation="investigate",
        ranked=first,
    )


def _unexplained(found: Triage) -> Explanation:
    statement = f"{found.leader} fails by itself; what set it off is not in the sources"
    return Explanation(found.leader, "unknown", 0.2, statement, _what_followed(found, found.leader), "investigate")


def _what_followed(found: Triage, entity: str) -> str:
    """The two departures of the service that say most about how it fails."""
    told = mechanisms(found, entity)[:2]
    if told:
        said = " and ".join(f"{label(one)} is at {amount(one.track.name, one.departure.level)}" for one in told)
        return f"Since {clock(told[0].onset)} {said}."
    own = found.outbreaks_of(entity)
    if own:
        return f"Since {clock(own[0].kind.first_at)} it writes “{shorten(own[0].kind.example, 120)}”."
    return f"{entity} itself shows no departure; its callers do."


def mechanisms(found: Triage, entity: str) -> list[Moved]:
    """How the service fails: what ran full or changed its ways first, then what its users feel."""
    order = {"saturation": 0, "efficiency": 0, "availability": 1, "error": 2, "latency": 2, "other": 3, "traffic": 4}
    own = [one for one in found.moved_of(entity) if one.strength >= 0.3]
    return sorted(own, key=lambda one: (order[one.kind], -one.strength))


def say(assessed: Assessment) -> str:
    """The answer in at most 25 words."""
    best, found = assessed.best, assessed.found
    if best is None or found.onset is None:
        return answer("Nothing departs from its own normal range")
    since = f"since {clock(found.onset)}"
    with_it = f"; {names(assessed.affected, 2)} with it" if assessed.affected else ""
    if best.suspect:
        did = best.suspect.judged.effect.words if best.suspect.judged.effect else ""
        cause = change_words(best.suspect.change, best.suspect.deploy, best.entity)
        return answer(f"{best.entity} fails {since}, after {cause}", f": {did}" if did else "", with_it)
    if best.circumstance:
        return answer(f"Since {clock(found.onset)}: {best.circumstance.statement.rstrip('.')}", with_it)
    if best.ranked:
        strays = f"{best.entity} strays most from its quiet time: {brief(best.ranked.signs[0])}"
        return answer(strays, "; what set it off is not in the sources", with_it)
    told = mechanisms(found, best.entity)
    how = f": {label(told[0])} is at {amount(told[0].track.name, told[0].departure.level)}" if told else ""
    return answer(f"{best.entity} fails first, {since}{how}", "; what set it off is not in the sources", with_it)
