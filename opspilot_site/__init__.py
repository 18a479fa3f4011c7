"""The wiring: settings, URLs, ASGI, the supervisor of `up`, and the commands that need more than one room."""

__version__ = "0.1.0"
