"""Holds the rooms apart: who may import whom, and what only one place may do."""

from __future__ import annotations

import ast

from runs.faults import POINTS
from tests.house.sources import ROOMS, SourceFile, imports_from, product_files

MAY_IMPORT = {
    "opspilot_site": {"opspilot_site", "runs", "agent", "tools"},
    "runs": {"runs"},
    "agent": {"agent", "tools"},
    "tools": {"tools"},
}
READS_THE_RECORD = {"agent/loop.py", "agent/jobs.py", "agent/execute.py"}
# asgi.py names the settings module, as every Django project's does.
READS_THE_ENVIRONMENT = {"opspilot_site/settings.py", "opspilot_site/env.py", "opspilot_site/asgi.py"}
MODELS = {
    "Run", "Step", "ToolCall", "Evidence", "Approval", "Vote", "PolicyRule", "Ticket", "Team", "Membership",
    "ApiToken", "Installation", "TicketComment", "AuditEvent", "Notification", "NotificationTarget",
}  # fmt: skip
WRITES = {"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete"}


def test_a_room_imports_only_what_the_table_allows() -> None:
    wrong = [
        place for file in product_files() for room in set(ROOMS) - _allowed(file) for place in imports_from(file, room)
    ]

    assert wrong == []


def _allowed(file: SourceFile) -> set[str]:
    return MAY_IMPORT[file.room] | ({"runs"} if str(file.path) in READS_THE_RECORD else set())


def test_nothing_imports_tests_or_bench() -> None:
    assert [
        place for file in product_files() for room in ("tests", "bench") for place in imports_from(file, room)
    ] == []


def test_no_import_hides_in_a_function() -> None:
    """A cycle is mended where it arises, not dodged. Django's `ready` and manage.py's way in are the exceptions."""
    hidden = [
        f"{file.path}:{inner.lineno}"
        for file in product_files()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "ready"
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom) and _is_ours(inner)
    ]

    assert hidden == []


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return any(name.split(".")[0] in ROOMS for name in names)


def test_the_anthropic_client_is_used_in_one_place() -> None:
    wrong = [
        place
        for file in product_files()
        if file.path.parts[:2] != ("agent", "claude")
        for place in imports_from(file, "anthropic")
    ]

    assert wrong == []


def test_apprise_is_used_in_one_place_and_only_when_something_is_sent() -> None:
    places = {str(file.path) for file in product_files() if imports_from(file, "apprise")}
    at_the_top = [
        node
        for file in product_files()
        for node in file.tree.body
        if isinstance(node, ast.Import) and any(alias.name == "apprise" for alias in node.names)
    ]

    assert (places, at_the_top) == ({"runs/notify/courier.py"}, [])


def test_rq_is_used_in_one_place() -> None:
    allowed = {"runs/queue.py", "opspilot_site/settings.py"}
    wrong = [
        place
        for file in product_files()
        if str(file.path) not in allowed
        for package in ("rq", "django_rq")
        for place in imports_from(file, package)
    ]

    assert wrong == []


def test_the_environment_is_read_in_settings_only() -> None:
    assert [
        f"{file.path}:{node.lineno}"
        for file in product_files()
        if str(file.path) not in READS_THE_ENVIRONMENT
        for node in ast.walk(file.tree)
        if _reads_environment(node)
    ] == []


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return node.attr in ("environ", "getenv", "environb")
    return isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name == "environ" for a in node.names)


def test_the_record_is_written_by_its_services_only() -> None:
    """No `Run.objects.filter(…).update(…)`, no `Run(…).save()` outside runs/services."""
    assert [
        f"{file.path}:{node.lineno} {ast.unparse(node)[:80]}"
        for file in product_files()
        if not _may_write(file)
        for node in ast.walk(file.tree)
        if _writes_a_model(node)
    ] == []


def _may_write(file: SourceFile) -> bool:
    # When a run was last enqueued is the queue's own mark: a hint that no Step records.
    return file.path.parts[:2] == ("runs", "services") or file.is_migration or str(file.path) == "runs/queue.py"


def _writes_a_model(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in WRITES:
        return False
    root: ast.AST = node.func.value
    while isinstance(root, ast.Call | ast.Attribute):
        if isinstance(root, ast.Attribute) and root.attr == "objects":
            return isinstance(root.value, ast.Name) and root.value.id in MODELS
        root = root.func if isinstance(root, ast.Call) else root.value
    return False


def test_tools_are_run_in_one_place() -> None:
    """Only the tool's own child process calls `tool.run`, and only agent/execute.py asks it to."""
    callers = {
        str(file.path)
        for file in product_files()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            ast.unparse(node.func) == "tool.run"
            or (node.func.attr in ("call", "call_many") and "host" in ast.unparse(node.func.value))
        )
    }

    assert callers <= {"agent/execute.py", "agent/toolprocess.py"}


def test_every_crash_point_is_named_in_the_one_list() -> None:
    struck = {
        node.args[0].value
        for file in product_files()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("faults.at", "faults.point")
        if isinstance(node.args[0], ast.Constant)
    }

    assert struck == set(POINTS), "OPSPILOT_FAULT takes the names of the list, and the sweep strikes those of the code"


def test_every_module_says_what_lives_there() -> None:
    silent = [
        str(file.path)
        for file in product_files()
        if file.tree.body and not file.is_migration and not ast.get_docstring(file.tree)
    ]

    assert silent == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    nothing = {"utils", "helpers", "common", "manager", "misc", "info", "data"}

    assert [str(file.path) for file in product_files() if file.path.stem in nothing] == []
