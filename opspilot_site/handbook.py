"""Writes the parts of docs/ that are drawn from the code: the state machine, tools, commands and settings."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands, load_command_class

from runs.models import Run
from runs.states import TERMINAL, WAITING, Outcome, RunState
from tools import registry

OURS = ("opspilot_site", "runs")
INNER = ("drive", "web")  # processes of the stack, not for people


def pages() -> dict[str, str]:
    """File name under docs/ → its text."""
    return {"states.md": states_page(), "reference.md": reference_page()}


def write_pages(folder: Path) -> list[str]:
    """Write what differs; answers the names that did."""
    changed = [name for name, text in pages().items() if _current(folder / name) != text]
    for name in changed:
        (folder / name).write_text(pages()[name])
    return changed


def _current(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def states_page() -> str:
    return (
        "# States\n\nDrawn from the transitions on `runs.models.Run` by `./opspilot handbook`; a test compares.\n\n"
        f"```mermaid\nstateDiagram-v2\n    [*] --> QUEUED\n{_arrows()}\n```\n\n"
        f"{_state_table()}\n\n{_transition_table()}\n\n{OUTCOMES}"
    )


def _transitions() -> list[tuple[str, str, str]]:
    order = list(RunState)
    found = {(t.name, str(t.source), str(t.target)) for t in Run(state=RunState.QUEUED).get_all_state_transitions()}
    return sorted(found, key=lambda t: (order.index(RunState(t[1])), order.index(RunState(t[2])), t[0]))


def _arrows() -> str:
    arrows = [f"    {source} --> {target}: {name}" for name, source, target in _transitions()]
    return "\n".join(arrows + [f"    {state} --> [*]" for state in RunState if state in TERMINAL])


def _state_table() -> str:
    rows = [f"| `{state}` | {state.label} | {_who_moves(state)} |" for state in RunState]
    return "\n".join(["| state | shown as | who moves it |", "|---|---|---|", *rows])


def _who_moves(state: RunState) -> str:
    if state in TERMINAL:
        return "nobody: it has ended"
    return "people, or the clock" if state in WAITING else "the driver that holds the lease"


def _transition_table() -> str:
    rows = [f"| `{name}` | {source} | {target} |" for name, source, target in _transitions()]
    return "\n".join(["| transition | from | to |", "|---|---|---|", *rows])


OUTCOMES = f"""## Outcomes

A run that is DONE is shown by its outcome. The planner's own certainty plays no part; `agent/outcome.py` computes it.

| outcome | shown as | when |
|---|---|---|
| `CONFIRMED` | {Outcome.CONFIRMED.label} | a cause with two checked claims from different sources, one of \
them the mechanism or the change and one a measured number; an alternative ruled out by a result; nothing against it; \
the change it blames is named by a result, and each number of its answer shown by a claim |
| `LIKELY` | {Outcome.LIKELY.label} | a cause with a checked claim, and less against it than for it |
| `NO_FAULT` | {Outcome.NO_FAULT.label} | checked claims of health in sources whose newest row is at \
most 15 minutes old |
| `INCONCLUSIVE` | {Outcome.INCONCLUSIVE.label} | everything else |

The alert, tickets, runbooks and the findings of sub-runs are words about the system, not looks at it: claims may quote
them, but they count neither as a source nor for health, and rule nothing out \
([why](decisions/0004-words-are-no-source.md)).
"""


def reference_page() -> str:
    return (
        "# Reference\n\nWritten by `./opspilot handbook`; a test compares.\n\n"
        f"## Tools\n\n{_tool_table()}\n\n## Commands\n\n{_command_table()}\n\n## Settings\n\n"
        "From the environment or `.env`. Every secret can also stand in a file that `NAME_FILE` names.\n\n"
        f"{_setting_table()}\n"
    )


def _tool_table() -> str:
    rows = [
        f"| `{tool.name}` | {tool.risk.value} | {tool.timeout_s:g} s | {tool.summary} |"
        for tool in registry.all_tools().values()
    ]
    return "\n".join(["| tool | risk | time-out | what it does |", "|---|---|---|---|", *rows])


def _command_table() -> str:
    names = sorted(name for name, app in get_commands().items() if app in OURS and name not in INNER)
    rows = [f"| `./opspilot {name}` | {_help(name)} |" for name in names]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def _help(name: str) -> str:
    return " ".join(load_command_class(get_commands()[name], name).help.split())


def _setting_table() -> str:
    """Read off .env.example, which another test holds against the settings."""
    rows, words = [], ""
    for line in (settings.BASE_DIR / ".env.example").read_text().splitlines():
        if match := re.match(r"#?\s?([A-Z][A-Z0-9_]+)=(.*)$", line):
            rows.append(f"| `{match[1]}` | {f'`{match[2]}`' if match[2] else ''} | {words} |")
            words = ""
        elif line.startswith("# ") and not line.startswith("# ---"):
            words = f"{words} {line[2:]}".strip()
        else:
            words = ""
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])
