"""A tracker behind a webhook: one POST a write, with an Idempotency-Key header that the other side has to honour.

The answer may be JSON with `id`, `url` and `state`. Such a tracker is not searched: it has no way to be.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tools.sources.words import clean
from tools.tickets.tracker import Draft, Found, State, name_of, sent_or_unsure
from tools.web.client import Client, NotAnswered


@dataclass(frozen=True)
class Webhook:
    client: Client
    kind: str = "webhook"
    is_asked: bool = False

    @property
    def destination(self) -> str:
        return f"webhook at {self.client.place.host}"

    def create(self, key: str, draft: Draft) -> Found:
        told = self._post(key, {"event": "ticket.create", **asdict(draft)})
        state: State = "closed" if told.get("state") == "closed" else "open"
        return Found(name_of(_text(told.get("id")), key), draft.title, _text(told.get("url")), state, draft.service)

    def comment(self, key: str, name: str, text: str) -> str:
        return _text(self._post(key, {"event": "ticket.comment", "ticket": name, "text": text}).get("url"))

    def open_for(self, service: str) -> list[Found]:
        return []

    def find(self, name: str) -> Found | None:
        return None

    def _post(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self.client.send("POST", "", body={"key": key, **body}, headers={"Idempotency-Key": key})
        except NotAnswered as error:
            raise sent_or_unsure(error) from None
        try:
            told = answer.json()
        except ValueError:  # "ok" is an answer too
            return {}
        return told if isinstance(told, dict) else {}


def _text(value: Any) -> str:
    return clean(str(value), 300) if isinstance(value, str | int) else ""
