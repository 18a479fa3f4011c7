"""What the Claude planner is told by its caller. Nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Thinking = Literal["", "adaptive", "between_tools", "disabled"]
Feature = Literal["strict", "cache", "stream"]
FEATURES: tuple[Feature, ...] = ("strict", "cache", "stream")  # what a gateway or a local model may lack
Effort = Literal["", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class ClaudeSettings:
    """`fence_secret` makes the marks around untrusted text unguessable; any installation secret will do."""

    api_key: str
    fence_secret: bytes
    base_url: str = ""  # a gateway or a local model that speaks the same API; "" is Anthropic's own
    model: str = "claude-sonnet-5-5"
    fallback_models: tuple[str, ...] = ()  # asked in this order when a model is overloaded
    max_tokens: int = 16_000
    stall_s: float = 60.0  # silence on the connection
    timeout_s: float = 300.0  # one whole move: its answer, however it drips, the second try, the fallback models
    thinking: Thinking = ""  # "" sends nothing: each model's own default holds
    effort: Effort = ""
    lacks: tuple[str, ...] = ()  # of FEATURES: not used with this address
    digest_chars: int = 2_400  # of one tool result in the prompt, about 600 tokens
    context_tokens: int = 60_000  # of one prompt; above it the oldest turns are folded into a record
    proxy: str = ""

    @property
    def stream(self) -> bool:
        return "stream" not in self.lacks

    @property
    def strict_tools(self) -> bool:
        return "strict" not in self.lacks

    @property
    def cache(self) -> bool:
        return "cache" not in self.lacks
