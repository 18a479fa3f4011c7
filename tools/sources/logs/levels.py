"""Names and numbers of log levels, brought to five. Finding a level in a line is the parsers' part."""

from __future__ import annotations

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")  # a level's rank is its index
UNKNOWN = -1

_NAMES = {
    **dict.fromkeys(("TRACE", "DEBUG", "DBG", "FINE", "FINER", "FINEST", "VERBOSE", "D", "T"), 0),
    **dict.fromkeys(("INFO", "INFORMATION", "NOTICE", "CONFIG", "LOG", "I"), 1),
    **dict.fromkeys(("WARN", "WARNING", "W"), 2),
    **dict.fromkeys(("ERROR", "ERR", "SEVERE", "E"), 3),
    **dict.fromkeys(("FATAL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC", "F"), 4),
}


def rank(raw: object) -> int:
    """Rank of a level's name, or of the number that Pino and Bunyan write (10 trace … 60 fatal)."""
    if isinstance(raw, str):
        return _NAMES.get(raw.strip().upper(), UNKNOWN)
    if isinstance(raw, int) and 10 <= raw <= 69:
        return max(0, min(4, raw // 10 - 2))
    return UNKNOWN


def name(found: int) -> str:
    return LEVELS[found] if found >= 0 else ""


def names_from(least: int) -> list[str]:
    """Every spelling of the levels of that rank and worse, single letters apart, lower case."""
    return sorted(word.lower() for word, rank in _NAMES.items() if rank >= least and len(word) > 1)
