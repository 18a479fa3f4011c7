"""What a person may do next about the cause that was found, with its undo. Does nothing itself."""

from __future__ import annotations

from agent.analyst.explanation import Assessment, Explanation, mechanisms
from agent.analyst.wording import amount, change_words, shorten
from tools.generate_report import Action


def actions(assessed: Assessment) -> list[Action]:
    """At most three: undo or relieve, watch that it worked, keep it from coming back."""
    best = assessed.best
    if best is None:
        return []
    return [*_first(best), *_watch(assessed, best), *_prevent(best)][:3]


def _first(best: Explanation) -> list[Action]:
    if best.suspect:
        return [_undo_change(best)]
    texts = {
        "rotate-cert": Action(text=f"Renew the certificate of {best.entity} and reload it.", undo="none is needed"),
        "failover": Action(
            text=f"Send traffic away from {best.entity}: fail over to another region or provider.", undo="fail back"
        ),
        "escalate-upstream": Action(text=f"Escalate to whoever runs {best.entity}; no rollback of ours fixes it."),
        "reschedule": Action(
            text=f"Move {best.entity} to another node, or limit what it may use.", undo="schedule it back"
        ),
        "scale": Action(text=f"Add capacity to {best.entity}, or shed load.", undo="scale back"),
    }
    return [texts[best.remediation]] if best.remediation in texts else []


def _undo_change(best: Explanation) -> Action:
    suspect = best.suspect
    assert suspect is not None  # noqa: S101
    what = change_words(suspect.change, suspect.deploy)
    if best.remediation == "flag-off":
        return Action(text=f"Turn {what} back.", undo="turn the flag again")
    if best.remediation == "roll-forward":
        return Action(text=f"Ship what {what} relies on and does not bring, or roll it back.", undo="none is needed")
    effect = suspect.judged.effect
    reverting = f" ({shorten(effect.words, 100)})" if effect else ""
    if best.remediation == "config-revert":
        return Action(text=f"Revert the setting of {what}{reverting}.", undo="apply it again")
    return Action(text=f"Roll back {what}{reverting}.", undo=f"deploy {what} again")


def _watch(assessed: Assessment, best: Explanation) -> list[Action]:
    told = mechanisms(assessed.found, best.entity) or mechanisms(assessed.found, assessed.found.leader)
    if not told:
        return []
    one = told[0]
    normal = amount(one.track.name, one.departure.normal.median)
    return [Action(text=f"Watch {one.track.name} of {one.service}: it should return to {normal}.")]


def _prevent(best: Explanation) -> list[Action]:
    if best.kind == "certificate":
        return [Action(text="Alert on certificates that expire within 14 days.")]
    if best.suspect:
        return [
            Action(
                text=f"Before it is deployed again, show under load that {best.entity} stays within its normal range."
            )
        ]
    return []
