"""LangGraph's side of `durable`: a graph plan → tool → evaluate, checkpointed after each node ("sync").

The state holds the last move and the last result only, no growing list of messages: the least that a graph can store.
"""

from __future__ import annotations

import sqlite3
import sys
import time
import uuid
from typing import Any, TypedDict

import psycopg
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row

from bench.answering import serve
from bench.payloads import ANSWER, HYPOTHESES, MODEL_REPLY, RATIONALE, ROWS


class Story(TypedDict):
    left: int
    move: dict[str, Any]
    result: dict[str, Any]
    verdict: dict[str, Any]


def plan(story: Story) -> dict[str, Any]:
    return {"move": {**MODEL_REPLY, "answer": ANSWER, "hypotheses": HYPOTHESES, "rationale": RATIONALE}}


def tool(story: Story) -> dict[str, Any]:
    return {"result": ROWS}


def evaluate(story: Story) -> dict[str, Any]:
    return {"left": story["left"] - 1, "verdict": {"words": "Go on with what was found.", "answer": ANSWER}}


def saver_on(url: str) -> BaseCheckpointSaver:
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return SqliteSaver(connection)
    # As PostgresSaver.from_conn_string opens it.
    return PostgresSaver(psycopg.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row))


def build(saver: BaseCheckpointSaver) -> Any:
    graph = StateGraph(Story)
    for node in (plan, tool, evaluate):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "tool")
    graph.add_edge("tool", "evaluate")
    graph.add_conditional_edges("evaluate", lambda story: "plan" if story["left"] else END, ["plan", END])
    return graph.compile(checkpointer=saver)


def main(url: str) -> None:
    saver = saver_on(url)
    graph = build(saver)

    def prepare() -> dict[str, Any]:
        saver.setup()  # type: ignore[attr-defined]  # both have it, their base has not
        return {}

    def run(cycles: int) -> dict[str, Any]:
        """A new thread of so many cycles, as a new run is. Milliseconds a cycle."""
        config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 3 * cycles + 10}
        started = time.perf_counter()
        graph.invoke({"left": cycles}, config, durability="sync")
        return {"ms": (time.perf_counter() - started) * 1_000 / cycles}

    serve(prepare=prepare, run=run)


if __name__ == "__main__":
    main(sys.argv[1])
