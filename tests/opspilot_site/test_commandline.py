"""What a shell sees where a command ends in an error."""

from __future__ import annotations

import pytest

from opspilot_site.commandline import CommandLine


def test_an_error_is_its_sentence_alone_and_keeps_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        CommandLine(["opspilot", "tool", "nope"]).execute()

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("There is no tool 'nope'")
