"""The launcher on machines of many kinds: what it refuses before any download, and what it sets up only once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

TOOLS = (
    "sh", "cat", "cksum", "uname", "df", "awk", "grep", "dirname", "flock", "date", "wc", "tr", "find", "sleep",
    "tail", "rm", "mkdir", "chmod",
)  # fmt: skip

# A Python as the launcher meets it: `-` examines it, `-m venv` makes an environment whose python is this script again.
PYTHON = """#!/bin/sh
echo "$@" >>"{log}"
case "$*" in
  -) echo "{answer}" ;;
  "-m venv --clear "*)
    mkdir -p "$4/bin" "$4/lib/python3.11/site-packages"
    cat "$0" >"$4/bin/python" && chmod +x "$4/bin/python" ;;
  "-m pip --version") [ -d "$(dirname "$0")/../lib" ] ;;
  "-m pip install"*) echo "Collecting thing"; {pip} ;;
  *manage.py*) shift && echo "manage $*" ;;
esac
"""


class Machine:
    """A checkout with the launcher, and a PATH that holds only what the test put there."""

    def __init__(self, folder: Path):
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.log = folder / "python.log"
        for path in (self.checkout, self.bin):
            path.mkdir()
        for name in ("opspilot", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(settings.BASE_DIR / name, self.checkout)
        for name in TOOLS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def python(self, name: str, answer: str, pip: str = ":") -> None:
        self.program(name, PYTHON.format(log=self.log, answer=answer, pip=pip))

    def start(self, *words: str, user: int | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.checkout / "opspilot", *words], env={"PATH": str(self.bin), **env}, capture_output=True, text=True,
            check=False, timeout=60, user=user,
        )  # fmt: skip

    def calls(self, start: str) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(start)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _refusal(machine: Machine, *words: str, **env: str) -> str:
    """The one sentence of a refusal; nothing was made and nothing was installed."""
    result = machine.start(*(words or ("up",)), **env)
    assert (result.returncode, result.stdout) == (2, "")
    assert not (machine.checkout / ".venv").exists()
    assert machine.calls("-m") == []
    return result.stderr.strip()


def test_without_words_it_lists_the_commands_and_sets_nothing_up(machine: Machine) -> None:
    result = machine.start()

    assert result.returncode == 0
    assert "./opspilot demo" in result.stdout
    assert not (machine.checkout / ".venv").exists()


def test_every_command_that_it_lists_exists(machine: Machine) -> None:
    words = machine.start("--help").stdout
    table = words[words.index("Runs ") : words.index("./opspilot COMMAND")]
    listed = {line[13:].split()[0].replace("-", "_") for line in table.splitlines() if line.strip()}

    assert listed >= {"runs", "approve", "doctor", "test"}
    assert listed | {"demo", "investigate", "up"} <= set(get_commands())


def test_no_python_is_one_sentence_with_the_package(machine: Machine) -> None:
    assert _refusal(machine) == (
        "opspilot: Python 3.11 or 3.12 is needed; none was found. "
        "Install it: sudo apt install python3.11 python3.11-venv (or python3.12 python3.12-venv)"
    )


def test_an_old_python_is_named(machine: Machine) -> None:
    machine.python("python3", "3.9 ok")

    assert "only 3.9 was found" in _refusal(machine)


def test_a_python_without_ensurepip_names_its_package(machine: Machine) -> None:
    machine.python("python3", "3.11 ensurepip")

    assert _refusal(machine).endswith("Install that part: sudo apt install python3.11-venv")


def test_a_shim_that_fails_is_passed_over(machine: Machine) -> None:
    machine.program("python3", "#!/bin/sh\necho 'pyenv: python3: command not found' >&2; exit 127\n")
    machine.program("python3.12", "#!/bin/sh\nexit 127\n")
    machine.python("python3.11", "3.11 ok")

    assert machine.start("up").stdout == "manage up\n"


def test_a_whole_python_wins_over_a_newer_and_over_a_broken_one(machine: Machine) -> None:
    machine.python("python3", "3.13 ok")
    machine.python("python3.12", "3.12 ensurepip")
    machine.python("python3.11", "3.11 ok")

    result = machine.start("up")
    assert result.returncode == 0
    assert "Making .venv with Python 3.11" in result.stderr


def test_a_newer_python_needs_a_redis_of_its_own(machine: Machine) -> None:
    machine.python("python3", "3.13 ok")

    assert "a Redis server is needed on Linux" in _refusal(machine, "demo")
    machine.program("redis-server", "#!/bin/sh\n")
    assert machine.start("demo").returncode == 0


def test_a_newer_python_may_investigate_without_a_redis(machine: Machine) -> None:
    machine.python("python3", "3.13 ok")

    result = machine.start("investigate", "why?")
    assert result.returncode == 0
    assert "for up, demo and test a Redis server is needed" in result.stderr


def test_another_processor_needs_a_redis_of_its_own(machine: Machine) -> None:
    machine.python("python3", "3.12 ok")
    machine.program("uname", '#!/bin/sh\n[ "$1" = -s ] && echo Darwin || echo arm64\n')

    assert _refusal(machine).endswith("Install it: brew install redis (or set REDIS_URL)")
    assert machine.start("up", REDIS_URL="redis://elsewhere").returncode == 0


def test_another_system_is_refused(machine: Machine) -> None:
    machine.program("uname", "#!/bin/sh\necho MINGW64_NT\n")

    assert "On Windows use WSL" in _refusal(machine)


def test_a_full_disk_is_said_before_anything_is_made(machine: Machine) -> None:
    machine.python("python3", "3.11 ok")
    machine.program("df", "#!/bin/sh\necho Filesystem; echo /dev/x 9 9 319488 99% /\n")

    assert _refusal(machine).endswith("; 312 MB are free")


def test_a_second_start_repeats_nothing(machine: Machine) -> None:
    machine.python("python3", "3.11 ok")
    machine.start("up")
    before = machine.calls("")

    result = machine.start("runs", "--json")

    assert (result.stdout, result.stderr) == ("manage runs --json\n", "")
    assert machine.calls("")[len(before) :] == [f"{machine.checkout}/manage.py runs --json"]


def test_changed_requirements_are_installed_at_the_next_start(machine: Machine) -> None:
    machine.python("python3", "3.11 ok")
    machine.start("up")
    with (machine.checkout / "requirements.txt").open("a") as file:
        file.write("another==1.0\n")

    machine.start("up")

    assert len(machine.calls("-m venv")) == 1
    assert len(machine.calls("-m pip install")) == 2


def test_only_the_tests_install_what_developers_need(machine: Machine) -> None:
    machine.python("python3", "3.11 ok")
    machine.start("up")
    machine.start("test")

    assert [line.rpartition("/")[2] for line in machine.calls("-m pip install")] == [
        "requirements.txt", "requirements-dev.txt",
    ]  # fmt: skip


def test_a_failed_installation_is_said_and_tried_again(machine: Machine) -> None:
    machine.python("python3", "3.11 ok", pip='echo "ERROR: No matching distribution found for thing" && false')
    result = machine.start("up")

    assert result.returncode == 1
    assert "ERROR: No matching distribution found for thing" in result.stderr
    assert "it goes on from here" in result.stderr
    machine.python("python3", "3.11 ok")
    shutil.copy(machine.bin / "python3", machine.checkout / ".venv/bin/python")
    assert machine.start("up").returncode == 0


def test_an_interrupted_set_up_resumes_and_forgets_half_installed_packages(machine: Machine) -> None:
    machine.python("python3", "3.11 ok", pip="exec sleep 30")
    process = subprocess.Popen(
        [machine.checkout / "opspilot", "up"], env={"PATH": str(machine.bin)}, stderr=subprocess.PIPE, text=True
    )
    while not machine.calls("-m pip install"):
        assert process.poll() is None
        time.sleep(0.05)
    half = machine.checkout / ".venv/lib/python3.11/site-packages/thing-1.0.dist-info"
    half.mkdir()
    process.send_signal(signal.SIGTERM)
    words = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Interrupted; the next start goes on from here." in words

    machine.python("python3", "3.11 ok")
    shutil.copy(machine.bin / "python3", machine.checkout / ".venv/bin/python")
    assert machine.start("up").stdout == "manage up\n"
    assert len(machine.calls("-m venv")) == 1
    assert not half.exists()


def test_the_demo_keeps_a_real_installation_out(machine: Machine) -> None:
    machine.python("python3", "3.11 ok")
    machine.start("up")
    show = '#!/bin/sh\necho "$OPSPILOT_DEMO|$OPSPILOT_IGNORE_DOTENV|$DATABASE_URL|$OPSPILOT_LOGS|$ANTHROPIC_API_KEY"\n'
    python = machine.checkout / ".venv/bin/python"
    python.write_text(show)

    result = machine.start("demo", DATABASE_URL="postgres://real", OPSPILOT_LOGS="file:///x", ANTHROPIC_API_KEY="k")

    assert result.stdout == "1|1|||k\n"


def test_a_checkout_that_cannot_be_written_is_said() -> None:
    nobody = 65534 if os.geteuid() == 0 else None  # root may write everywhere
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        machine.python("python3", "3.11 ok")
        machine.checkout.chmod(0o555)

        result = machine.start("up", user=nobody)
        machine.checkout.chmod(0o755)

    assert result.returncode == 2
    assert "cannot be written to. Clone OpsPilot to a folder of your own" in result.stderr
