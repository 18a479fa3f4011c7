"""Makes the planner that a run asks for: ours from settings, others from entry points. No planner lives here."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from django.conf import settings

from agent.errors import Misconfigured
from agent.planner import Planner


def planner_for(name: str, model: str = "") -> Planner:
    """The planner of that name. Raises Misconfigured for one that cannot think here.

    The modules are loaded by name so that a worker without a key never loads the API's client (about 0.5 s).
    """
    match name:
        case "analyst":
            analyst: Planner = import_module("agent.analyst.planner").AnalystPlanner()
            return analyst
        case "claude":
            return _claude(model)
    for installed in entry_points(group="opspilot.planners", name=name):
        planner: Planner = installed.load()()
        return planner
    raise Misconfigured(f"No planner is called {name!r}; there are analyst and claude.")


def _claude(model: str) -> Planner:
    planner: Planner = import_module("agent.claude.planner").ClaudePlanner(claude_settings(model))
    return planner


def claude_settings(model: str = "") -> Any:
    """The installation's settings as the Claude planner takes them. Raises Misconfigured without a key."""
    if not settings.ANTHROPIC_API_KEY:
        raise Misconfigured("This run wants Claude, but ANTHROPIC_API_KEY is not set.")
    return import_module("agent.claude.settings").ClaudeSettings(
        api_key=settings.ANTHROPIC_API_KEY,
        fence_secret=settings.SECRET_KEY.encode(),
        base_url=settings.ANTHROPIC_BASE_URL,
        model=model or settings.MODEL,
        fallback_models=tuple(settings.FALLBACK_MODELS),
        max_tokens=settings.MODEL_MAX_TOKENS,
        timeout_s=settings.MODEL_TIMEOUT_S,
        thinking=settings.THINKING,
        effort=settings.EFFORT,
        lacks=tuple(settings.MODEL_LACKS),
        context_tokens=settings.CONTEXT_TOKENS,
    )
