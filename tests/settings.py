"""The settings of the tests: those of the product, in a throwaway data folder, without the developer's environment."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

KEPT = ("OPSPILOT_TEST_DIR", "OPSPILOT_TEST_NO_SKIP", "OPSPILOT_PYTHON")
for name in [name for name in os.environ if name.startswith(("OPSPILOT_", "ANTHROPIC_", "REDIS_"))]:
    if name not in KEPT:
        del os.environ[name]
if "OPSPILOT_TEST_DIR" not in os.environ:  # workers of pytest-xdist inherit the first process's folder
    os.environ["OPSPILOT_TEST_DIR"] = tempfile.mkdtemp(prefix="opspilot-test-")
    atexit.register(shutil.rmtree, os.environ["OPSPILOT_TEST_DIR"], ignore_errors=True)
folder = Path(os.environ["OPSPILOT_TEST_DIR"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ |= {"OPSPILOT_TEST": "1", "OPSPILOT_IGNORE_DOTENV": "1", "OPSPILOT_DATA_DIR": str(folder)}
folder.mkdir(parents=True, exist_ok=True)

from opspilot_site.settings import *  # noqa: E402, F403
from opspilot_site.settings import DATABASES, INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = ["tests.emptying", *INSTALLED_APPS]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads and child processes of the flow tests open the same database.
    DATABASES["default"]["TEST"] = {"NAME": str(folder / "test.sqlite3")}
    options = DATABASES["default"]["OPTIONS"]
    options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
else:
    # A test is one transaction, however long it thinks in between.
    DATABASES["default"]["OPTIONS"]["options"] = "-c idle_in_transaction_session_timeout=10min"
