"""`policy export | import | check | backtest | preset`: rule sets as files, what they come to, what they would do."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.models import Team
from runs.permissions import may_change_rules
from runs.policy.backtest import Backtest, backtest
from runs.policy.difference import difference
from runs.policy.document import PRESETS, PolicyError, preset, read_document, write_document
from runs.policy.explaining import Explanation, explanation_of
from runs.policy.rules import Rule, version_of
from runs.presentation.display import reveal
from runs.services.actors import Actor
from runs.services.errors import Refused, forbidden, not_found
from runs.services.policies import Policy
from runs.services.rules import own_rules, replace_rules, whose
from runs.shell import shell_actor, shell_runs

FOUND, UNREADABLE = 1, 2
SHOWN = 40  # changed calls of a backtest; --json has them all


class Command(BaseCommand):
    help = "Export, import, explain and back-test the rules that decide which calls run, need votes, or are refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="print the rules as YAML")
        load = verbs.add_parser("import", help="put a file's rules in the place of the present; shows what changes")
        check = verbs.add_parser(
            "check", help="explain a rule set; exit 1 for a rule in vain, or votes that nobody has"
        )
        test = verbs.add_parser("backtest", help="which past calls would have gone otherwise; exit 1 where any would")
        ready = verbs.add_parser("preset", help="as import, with a rule set that ships: solo or team")
        for verb in (load, check, test):
            verb.add_argument("file", help="YAML; - reads the standard input")
        ready.add_argument("name", choices=PRESETS)
        for verb in (export, load, check, test, ready):
            verb.add_argument("--team", default="", help="the team's own rules, asked before the installation's")
        for verb in (load, ready):
            verb.add_argument("--apply", action="store_true", help="do it; else exit 1 where something would change")
        test.add_argument("--days", type=int, default=30, help="of runs created since then; 30")
        for verb in (check, test):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            team = _team(options["team"])
            match options["verb"]:
                case "export":
                    self.stdout.write(write_document(own_rules(team)), ending="")
                case "import":
                    self._replace(team, _read(options["file"]), f"import of {options['file']}", options["apply"])
                case "preset":
                    self._replace(team, preset(options["name"]), f"preset {options['name']}", options["apply"])
                case "check":
                    self._check(team, _read(options["file"]), options["json"])
                case "backtest":
                    self._backtest(team, _read(options["file"]), options["days"], options["json"])
        except Refused as refused:
            raise CommandError(str(refused), returncode=FOUND) from None
        except PolicyError as error:
            raise CommandError(str(error), returncode=UNREADABLE) from None

    def _replace(self, team: Team | None, rules: Sequence[Rule], origin: str, apply: bool) -> None:
        actor = _administrator(team)
        try:
            old = own_rules(team)
        except PolicyError:
            old = []
            self.stdout.write("The present rules cannot be read, so everything but reading needs two votes now.")
        if version_of(old) == version_of(rules):
            self.stdout.write(f"These are the {whose(team)} already; nothing changes.")
            return
        self.stdout.write("\n".join([f"The {whose(team)}: {len(old)} before and {len(rules)} after:",
                                     *map(reveal, difference(old, rules))]))  # fmt: skip
        if not apply:
            raise CommandError("Nothing was changed. Add --apply to do it.", returncode=FOUND)
        replace_rules(team, rules, actor, origin)
        self.stdout.write(f"Done, as {actor.name}. Calls are judged by these rules from now on.")

    def _check(self, team: Team | None, rules: list[Rule], as_json: bool) -> None:
        whole = [*rules, *own_rules(None)] if team else rules
        found = explanation_of(whole, [team] if team else list(Team.objects.order_by("id")))
        if as_json:
            self.stdout.write(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        else:
            self._explain(found)
        if found.problems:
            sys.exit(FOUND)

    def _explain(self, found: Explanation) -> None:
        self.stdout.write(f"{found.rules} rules, version {found.version}. The first that matches decides.")
        for verdict in found.verdicts:
            self.stdout.write(f"\n{verdict.risk}: {', '.join(verdict.tools)}")
            self.stdout.write("\n".join(f"  {reveal(line)}" for line in verdict.lines()))
        self._list("Problems", found.problems)
        self._list("Good to know", found.notes)
        if not found.problems:
            self.stdout.write("\nNo rule is in vain, and all that is asked can be approved.")

    def _list(self, title: str, words: list[str]) -> None:
        if words:
            self.stdout.write("\n".join(["", title, *(f"  {reveal(each)}" for each in words)]))

    def _backtest(self, team: Team | None, rules: list[Rule], days: int, as_json: bool) -> None:
        if not 1 <= days <= 3_650:
            raise PolicyError(f"--days {days}: give 1 to 3650 days")
        runs = shell_runs().filter(team=team) if team else shell_runs()

        def policy_for(of: Team) -> Policy:
            whole = (*rules, *own_rules(None)) if team else (*own_rules(of), *rules)
            return Policy(whole, version_of(whole))

        done = backtest(runs, timezone.now() - timedelta(days=days), policy_for)
        if as_json:
            answer = {"days": days, "looked_at": done.looked_at, "cut": done.cut,
                      "changes": [change.as_json() for change in done.changes]}  # fmt: skip
            self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(_told(done, days)))
        if done.changes:
            sys.exit(FOUND)


def _told(done: Backtest, days: int) -> list[str]:
    lines = [
        f"run {change.run}  call {change.call}  {change.tool} {reveal(change.subject)}\n"
        f"    {change.then} → {change.now}   ({reveal(change.rule_now)})"
        for change in done.changes[:SHOWN]
    ]
    if (more := len(done.changes) - SHOWN) > 0:
        lines.append(f"… and {more:,} more; --json lists them all")
    cut = f" Only the newest {done.looked_at:,} were looked at." if done.cut else ""
    return [*lines, f"{done} In the last {days} days.{cut}"]


def _team(slug: str) -> Team | None:
    if not slug:
        return None
    if team := Team.objects.filter(slug=slug).first():
        return team
    raise not_found(f"team {slug}")


def _read(name: str) -> list[Rule]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{name} cannot be read: {error}") from None
    return read_document(text)


def _administrator(team: Team | None) -> Actor:
    """Who changes rules here: an administrator's token, or the shell itself, which has the database anyway."""
    actor = shell_actor()
    if actor.user is not None and not (verdict := may_change_rules(actor.user, team)):
        raise forbidden(verdict.why)
    return actor
