"""The tool host over real processes: what a hung, crashing, greedy or raising tool costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.toolhost import ROOT, HostedCall, ToolHost
from agent.toolwire import ContextSpec
from tests.agent import misbehaving_tools
from tools.base import Status, Stored, ToolError
from tools.sources import SourceSpec

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _installed(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def host(site: str) -> Iterator[ToolHost]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("ANTHROPIC_API_KEY", "a-secret")
        running = ToolHost(parallel=3, memory_mb=512)
        running.start()
        yield running
        running.stop()


def _installed(site: Path) -> str:
    """A package directory that offers the misbehaving tools by entry points."""
    (site / "opspilot_misbehaving.py").write_text(Path(misbehaving_tools.__file__).read_text())
    dist = site / "opspilot_misbehaving-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: opspilot-misbehaving\nVersion: 1.0\n")
    names = "\n".join(f"{name} = opspilot_misbehaving:{name}" for name in misbehaving_tools.TOOLS)
    (dist / "entry_points.txt").write_text(f"[opspilot.tools]\n{names}\n")
    return str(site)


def a_call(tool: str, timeout_s: float = 30, **args: Any) -> HostedCall:
    context = ContextSpec("key-1", AS_OF, None, (SourceSpec("shop", "file:///nowhere"),), {"run": "R1"})
    return HostedCall(tool, args, context, timeout_s, evidence=_evidence)


def _evidence(name: str) -> Stored:
    if name != "E1":
        raise ToolError(f"There is no evidence {name}.")
    return Stored({"total": 3}, source="shop:logs")


def test_a_tool_gets_its_context_and_its_result_comes_back_whole(host: ToolHost) -> None:
    end = host.call(a_call("echo"))
    assert (end.result.status, end.result.summary, end.result.source) == (Status.SUCCESS, "echo", "echo")
    assert end.result.freshness == datetime(2026, 1, 2, tzinfo=UTC)
    assert end.result.data["context"] == ["key-1", AS_OF.isoformat(), None, {"run": "R1"}]
    assert end.result.data["sources"] == [["shop", "file:///nowhere"]]


def test_a_tool_sees_no_variable_of_the_worker_and_no_input(host: ToolHost) -> None:
    seen = host.call(a_call("echo")).result.data
    assert "ANTHROPIC_API_KEY" not in seen["environment"]
    assert seen["stdin"] == ""


def test_a_child_serves_one_call_after_another(host: ToolHost) -> None:
    pids = {host.call(a_call("echo")).result.data["pid"] for _ in range(3)}
    assert len(pids) == 1 and os.getpid() not in pids


def test_calls_of_one_move_run_side_by_side_and_answer_in_order(host: ToolHost) -> None:
    ends = host.call_many([a_call("echo", seconds=0.3), a_call("refuse"), a_call("echo"), a_call("large", rows=2)])
    assert [end.result.summary for end in ends] == ["echo", "No source 'x'. Sources: shop.", "echo", "2 rows."]
    assert ends[0].result.data["pid"] != ends[2].result.data["pid"]


def test_a_hung_tool_is_stopped_at_its_deadline_and_the_next_call_works(host: ToolHost) -> None:
    hung = host.call(a_call("echo", timeout_s=0.3, seconds=60))
    assert hung.ended == "timed_out" and not hung.is_certain
    assert hung.result.status == Status.ERROR
    assert hung.result.summary == "echo ran longer than 0.3 s and was stopped."
    assert host.call(a_call("echo")).result.status == Status.SUCCESS


def test_the_deadline_of_one_call_does_not_stop_its_neighbour(host: ToolHost) -> None:
    hung, good = host.call_many([a_call("echo", timeout_s=0.2, seconds=60), a_call("echo", seconds=0.5)])
    assert (hung.ended, good.ended) == ("timed_out", "returned")


def test_a_crash_is_a_value_and_the_call_is_never_repeated(host: ToolHost, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    end = host.call(a_call("append_then_die", path=str(ledger)))
    assert end.result.summary == "append_then_die crashed (exit 7)."
    assert not end.is_certain
    assert host.call(a_call("echo")).ended == "returned"
    assert ledger.read_text() == "done\n"


def test_a_segmentation_fault_is_named(host: ToolHost) -> None:
    assert host.call(a_call("segfault")).result.summary == "segfault crashed (killed by SIGSEGV)."


def test_a_greedy_tool_is_stopped_at_its_memory_limit(host: ToolHost) -> None:
    end = host.call(a_call("greedy"))
    assert end.ended == "out_of_memory"
    assert end.result.summary == "greedy used more than 512 MB of memory and was stopped."


@pytest.mark.parametrize(("tool", "words"), [("raise_value_error", "ValueError"), ("sys_exit", "SystemExit: leaving")])
def test_an_exception_inside_a_tool_is_a_value_and_its_traceback_goes_to_the_log(
    host: ToolHost, caplog: pytest.LogCaptureFixture, tool: str, words: str
) -> None:
    end = host.call(a_call(tool))
    assert end.ended == "raised"
    assert end.result.summary.startswith(f"{tool} failed inside: {words}")
    assert "Traceback" in caplog.text and "Traceback" not in end.result.summary


def test_a_tool_error_is_the_tools_own_words(host: ToolHost) -> None:
    end = host.call(a_call("refuse"))
    assert (end.ended, end.is_certain, end.result.summary) == ("refused", True, "No source 'x'. Sources: shop.")


def test_an_unknown_tool_is_refused_with_the_names_there_are(host: ToolHost) -> None:
    assert "generate_report" in host.call(a_call("no_such_tool")).result.summary


def test_what_no_database_can_store_is_replaced(host: ToolHost) -> None:
    result = host.call(a_call("garble")).result
    assert result.data == {"text": "a\ufffdb\ufffd", "bad": [None, None, 1.5], "raw": "\ufffd", "3": ["deep"]}
    assert result.figures == {"total": 2}
    assert result.summary == "nul \ufffd"
    json.dumps(result.data, allow_nan=False).encode()


def test_a_result_beyond_the_cap_is_cut_and_says_what_was_cut(host: ToolHost) -> None:
    result = host.call(a_call("large", rows=200_000)).result
    cut = result.data["cut"]["matches"]
    assert result.status == Status.TRUNCATED
    assert cut["of"] == 200_000 and cut["kept"] == len(result.data["matches"]) > 1_000
    assert result.data["total"] == 200_000
    assert f"matches {cut['kept']} of 200000" in result.summary
    assert len(json.dumps(result.data)) < 8_000_000


def test_a_tool_may_ask_for_earlier_evidence(host: ToolHost) -> None:
    found, missing = host.call_many([a_call("from_evidence", evidence="E1"), a_call("from_evidence", evidence="E9")])
    assert found.result.data == {"found": {"total": 3}}
    assert missing.result.summary == "There is no evidence E9."


def test_a_child_killed_between_calls_is_replaced_before_anything_is_sent(host: ToolHost) -> None:
    pid = host.call(a_call("echo")).result.data["pid"]
    os.kill(pid, signal.SIGKILL)
    _wait_until_gone(pid)
    again = host.call(a_call("echo"))
    assert again.ended == "returned" and again.result.data["pid"] != pid


def test_a_template_that_died_is_started_again(host: ToolHost) -> None:
    data = host.call(a_call("echo")).result.data
    parent = data["parent"]
    os.kill(parent, signal.SIGKILL)
    _wait_until_gone(parent)
    _wait_until_gone(data["pid"])  # its warm child dies with it, a moment later
    again = host.call(a_call("echo"))
    assert again.ended == "returned" and again.result.data["parent"] != parent


WORKER = """
import os, sys, time
from tests.agent.test_toolhost import ToolHost, a_call
host = ToolHost()
host.start()
family = host.call(a_call("echo")).result.data
print(os.getpid(), family["parent"], family["pid"], flush=True)
"""


def _worker(site: str, then: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A worker process of its own: its pid, its template's and its first child's; then it goes on with `then`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER + then],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join([site, str(ROOT)])},
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("then", ["time.sleep(60)", "host.call(a_call('echo', seconds=60))"])
def test_template_and_children_die_with_a_killed_worker_idle_or_busy(site: str, then: str) -> None:
    process, (worker, template, child) = _worker(site, then)
    time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    process.communicate()
    _wait_until_gone(template)
    _wait_until_gone(child)


def test_a_forked_worker_shares_the_template_but_no_child(site: str) -> None:
    fork = """
pid = os.fork()
mine = host.call(a_call("echo")).result.data
print(mine["parent"], mine["pid"], flush=True)
os._exit(0) if pid == 0 else os.waitpid(pid, 0)
"""
    process, (_worker_pid, template, _child) = _worker(site, fork)
    rest = process.communicate()[0].split()
    assert {int(rest[0]), int(rest[2])} == {template}
    assert rest[1] != rest[3]


def test_a_busy_child_dies_with_the_forked_worker_that_called_it(site: str) -> None:
    busy = """
horse = os.fork()
if horse == 0:
    print(host.call(a_call("echo")).result.data["pid"], flush=True)
    host.call(a_call("echo", seconds=60))
time.sleep(1)
os.kill(horse, 9)
os.waitpid(horse, 0)
print("killed", flush=True)
time.sleep(60)
"""
    process, (_worker_pid, template, _child) = _worker(site, busy)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert process.stdout.readline() == "killed\n"
    _wait_until_gone(child)
    assert Path(f"/proc/{template}").exists()
    process.kill()
    process.communicate()


def test_an_interrupt_from_the_terminal_does_not_reach_a_child(host: ToolHost) -> None:
    pid = host.call(a_call("echo")).result.data["pid"]
    os.kill(pid, signal.SIGINT)
    assert host.call(a_call("echo")).result.data["pid"] == pid


def _wait_until_gone(pid: int) -> None:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} still runs")
