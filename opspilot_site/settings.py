"""All settings, and the only reader of the environment. Every default makes `./opspilot up` run on one machine."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from opspilot_site.env import env, named_secrets, named_urls, one_of, secret, team_urls
from opspilot_site.sources_file import read_sources_file
from opspilot_site.tools_file import read_tools_file

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").exists() and not env.bool("OPSPILOT_IGNORE_DOTENV", False):
    env.read_env(str(BASE_DIR / ".env"), recurse=False)


# What kind of installation this is -------------------------------------------------------------------------------
DEBUG = env.bool("OPSPILOT_DEBUG", False)
DEMO = env.bool("OPSPILOT_DEMO", False)  # set by `demo` for its own children
TESTING = env.bool("OPSPILOT_TEST", False)
FAULT = env.str("OPSPILOT_FAULT", "")  # a crash point to strike at, for tests only
if FAULT and not (TESTING or DEBUG):
    raise ImproperlyConfigured("OPSPILOT_FAULT breaks runs on purpose; it is for OPSPILOT_TEST=1 only.")
CI = env.str("CI", "").lower() not in ("", "0", "false")  # there `test` fails where something cannot be tested
DATA_DIR = Path(env.str("OPSPILOT_DATA_DIR", str(BASE_DIR / "var" / ("demo" if DEMO else "data")))).resolve()
PORT = env.int("OPSPILOT_PORT", 8321 if DEMO else 8320)  # where `up` and `demo` serve
# What links in tickets and notifications start with.
PUBLIC_URL = env.str("OPSPILOT_URL", f"http://127.0.0.1:{PORT}").rstrip("/")


def _kept_secret(name: str) -> str:
    """A secret from the environment, else one made at the first start and kept in the data folder (mode 600)."""
    if value := secret(name):
        return value
    path = DATA_DIR / f"{name.lower()}.key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _kept_secret("OPSPILOT_SECRET_KEY")
AUDIT_KEY = _kept_secret("OPSPILOT_AUDIT_KEY")  # signs the chain of Steps; rotating SECRET_KEY must not break it
AUDIT_KEY_ID = env.str("OPSPILOT_AUDIT_KEY_ID", "k1")
AUDIT_KEYS = {**named_secrets("OPSPILOT_AUDIT_OLD_KEYS"), AUDIT_KEY_ID: AUDIT_KEY}  # what verifying may need
AUDIT_HEADS = Path(env.str("OPSPILOT_AUDIT_HEADS", str(DATA_DIR / "audit-heads.jsonl")))  # outside of the database

ALLOWED_HOSTS = env.list("OPSPILOT_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("OPSPILOT_ALLOWED_HOSTS may not be '*' unless OPSPILOT_DEBUG is on; name the hosts.")
HTTPS = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if HTTPS else []

# Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "opspilot_site.apps.OpsPilotAdmin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_rq",
    "csp",
    "opspilot_site.apps.SiteConfig",
    "runs.apps.RunsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "opspilot_site.urls"
ASGI_APPLICATION = "opspilot_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "runs.context.installation",
            ],
        },
    }
]
DATABASES = {
    "default": dj_database_url.parse(
        secret("DATABASE_URL", f"sqlite:///{DATA_DIR / 'opspilot.sqlite3'}"), conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: with the default, one transaction in four fails under two workers. FULL: a committed step stays.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
        "PRAGMA recursive_triggers=ON;",  # or INSERT OR REPLACE deletes a row that may not be deleted
    }
else:
    # A process that is frozen in the middle of a transaction keeps its row locked, and nobody could take its run over.
    # No transaction of ours waits for anything, so one that idles has lost its process.
    options = DATABASES["default"].setdefault("OPTIONS", {})
    if "idle_in_transaction_session_timeout" not in options.get("options", ""):
        options["options"] = f"{options.get('options', '')} -c idle_in_transaction_session_timeout=15s".strip()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = env.str("OPSPILOT_TIME_ZONE", "UTC")
USE_I18N = False
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("OPSPILOT_STATIC_ROOT", "") or None  # only `collectstatic` needs one
WHITENOISE_USE_FINDERS = True  # no collectstatic step on one machine
WHITENOISE_MAX_AGE = 60  # s: names are not hashed, so an upgrade must show within a minute
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes of one request body
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Safety of pages -------------------------------------------------------------------------------------------------
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS and env.bool("OPSPILOT_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # probes inside a cluster speak plain HTTP
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("OPSPILOT_BEHIND_PROXY", False) else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# API -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "runs.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "runs.api.authentication.TokenScope",
    ],
    "DEFAULT_PARSER_CLASSES": ["runs.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "runs.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "runs.api.schema.NamedOperations",
    "EXCEPTION_HANDLER": "runs.api.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OpsPilot",
    "DESCRIPTION": "Start investigations, watch them, read their evidence, decide their approvals.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVE_AUTHENTICATION": ["rest_framework.authentication.SessionAuthentication"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "RunState": "runs.states.RunState",
        "ApprovalState": "runs.states.ApprovalState",
        "TicketState": "runs.models.Ticket.State",
        "StepKind": "runs.states.StepKind",
        "ApprovalKind": "runs.states.ApprovalKind",
    },
}


# Queue and live notices ------------------------------------------------------------------------------------------
def _redis_socket() -> Path:
    """Where the embedded Redis listens: in the data folder, unless that path is longer than a socket's may be."""
    path = DATA_DIR / "redis" / "redis.sock"
    if len(bytes(path)) <= 100:  # Linux allows 107
        return path
    folder = f"opspilot-{os.getuid()}-{hashlib.sha256(bytes(DATA_DIR)).hexdigest()[:12]}"
    return Path("/tmp") / folder / "redis.sock"  # noqa: S108  the folder is made with mode 700 and its owner is checked


REDIS_SOCKET = _redis_socket()
REDIS_URL = secret("REDIS_URL", f"unix://{quote(str(REDIS_SOCKET))}?db=0")
EMBEDDED_REDIS = not secret("REDIS_URL")  # `up`, `demo` and `test` start one
RQ_QUEUES = {
    "runs": {
        "URL": REDIS_URL,
        "DEFAULT_TIMEOUT": 3600,
        "SERIALIZER": "rq.serializers.JSONSerializer",
        "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 2},
    }
}
RQ = {"JOB_CLASS": "runs.queue.DriveJob", "WORKER_CLASS": "runs.queue.RunWorker"}
OPSPILOT_DRIVER = "agent.jobs.drive_run"  # what a job calls
OPSPILOT_DRIVER_ALONE = "agent.jobs.drive_alone"  # the same, for a run that gets a process of its own
OPSPILOT_WORKER_READY = "agent.jobs.make_ready"  # what a worker calls once, before it has threads
OPSPILOT_TOOLBOX = "tools.registry"  # describe, validate, preview
WORKERS = env.int("OPSPILOT_WORKERS", 2)  # worker processes that `up` starts
WORKER_SLOTS = env.int("OPSPILOT_WORKER_SLOTS", 16)  # runs that one worker drives at a time, a thread each
OVER_SSH = bool(env.str("SSH_CONNECTION", ""))  # then `up` says how to forward its port
NO_COLOUR = bool(env.str("NO_COLOR", "")) or env.str("TERM", "") == "dumb"
TOKEN = secret("OPSPILOT_TOKEN")  # whom the command line acts as

# Sources ---------------------------------------------------------------------------------------------------------
SOURCE_KINDS = ("logs", "metrics", "traces", "changes", "data")
SOURCE_URLS = {kind: named_urls(f"OPSPILOT_{kind.upper()}") for kind in SOURCE_KINDS}
SOURCES_FILE = read_sources_file(Path(env.str("OPSPILOT_SOURCES", str(BASE_DIR / "sources.yaml"))))
for kind, pairs in SOURCES_FILE.urls.items():
    SOURCE_URLS[kind] += pairs
if DEMO:
    SOURCE_URLS["data"].append(("demo", f"file://{quote(str(DATA_DIR / 'incident'))}"))

# Who is told what waits and what was found ------------------------------------------------------------------------
NOTIFY = team_urls("OPSPILOT_NOTIFY", secret("OPSPILOT_NOTIFY"))  # [(team or "", an apprise URL)]

MCP_DIR = DATA_DIR / "mcp"  # what `mcp look` has kept of each server
TOOLS_FILE = read_tools_file(Path(env.str("OPSPILOT_TOOLS", str(BASE_DIR / "tools.yaml"))), MCP_DIR)
TICKETS = env.str("OPSPILOT_TICKETS", "")  # URL of the tracker; without one tickets are kept here only

# Planners --------------------------------------------------------------------------------------------------------
ANTHROPIC_API_KEY = secret("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env.str("ANTHROPIC_BASE_URL", "")
MODEL = env.str("OPSPILOT_MODEL", "claude-sonnet-5-5")
FALLBACK_MODELS: list[str] = env.list("OPSPILOT_FALLBACK_MODELS", [])
MODEL_MAX_TOKENS = env.int("OPSPILOT_MODEL_MAX_TOKENS", 8_000)
CONTEXT_TOKENS = env.int("OPSPILOT_CONTEXT_TOKENS", 60_000)  # of one prompt; above it old turns become a record
SUB_RUNS = env.bool("OPSPILOT_SUB_RUNS", False)  # may Claude have hypotheses investigated by runs of their own?
THINKING = env.str("OPSPILOT_THINKING", "")
one_of("OPSPILOT_THINKING", THINKING, "adaptive", "between_tools", "disabled")
EFFORT = env.str("OPSPILOT_EFFORT", "")
one_of("OPSPILOT_EFFORT", EFFORT, "low", "medium", "high", "xhigh", "max")
MODEL_LACKS: list[str] = env.list("OPSPILOT_MODEL_LACKS", [])  # strict, cache, stream: what the base URL does not know
if unknown := set(MODEL_LACKS) - {"strict", "cache", "stream"}:
    raise ImproperlyConfigured(f"OPSPILOT_MODEL_LACKS: {', '.join(sorted(unknown))}: may name strict, cache, stream.")
MODEL_TIMEOUT_S = env.int("OPSPILOT_MODEL_TIMEOUT_S", 120)
PLANNER = env.str("OPSPILOT_PLANNER", "claude" if ANTHROPIC_API_KEY else "analyst", validate=None)
if PLANNER not in ("claude", "analyst"):
    raise ImproperlyConfigured(f"OPSPILOT_PLANNER={PLANNER!r}: must be 'claude' or 'analyst'.")

# What a run may spend, and what holds a run together -------------------------------------------------------------
BUDGET = {
    "steps": env.int("OPSPILOT_MAX_STEPS", 200),
    "cycles": env.int("OPSPILOT_MAX_CYCLES", 25),
    "tool_calls": env.int("OPSPILOT_MAX_TOOL_CALLS", 60),
    "model_calls": env.int("OPSPILOT_MAX_MODEL_CALLS", 40),
    "tokens": env.int("OPSPILOT_MAX_TOKENS", 400_000),
    "micro_usd": int(env.float("OPSPILOT_MAX_USD", 2.0) * 1_000_000),
    "driven_ms": env.int("OPSPILOT_MAX_MINUTES", 15) * 60_000,
}
DAILY_MICRO_USD = int(env.float("OPSPILOT_MAX_USD_PER_DAY", 20.0) * 1_000_000)
LEASE_S = env.int("OPSPILOT_LEASE_S", 30)
HEARTBEAT_S = env.int("OPSPILOT_HEARTBEAT_S", 10)
RECONCILE_S = env.int("OPSPILOT_RECONCILE_S", 10)
APPROVAL_TTL_S = env.int("OPSPILOT_APPROVAL_TTL_S", 24 * 3600)
MAX_OPEN_APPROVALS = env.int("OPSPILOT_MAX_OPEN_APPROVALS", 5)  # of one run at a time
MAX_APPROVALS_PER_SERVICE = env.int("OPSPILOT_MAX_APPROVALS_PER_SERVICE", 20)  # within an hour, in one team

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("OPSPILOT_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "rq.worker": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},  # a line for every request to the model says nothing that a Step does not
        "daphne": {"level": "WARNING"},
    },
}
