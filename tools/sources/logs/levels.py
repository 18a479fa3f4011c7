"""Names and numbers of log levels, brought to five. Finding a level in a line is the parsers' part."""

from __future__ import annotations

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")  # a level's rank is its index
UNKNOWN = -1
_SYSLOG = (4, 4, 4, 3, 2, 1, 1, 0)

_NAMES = {
    **dict.fromkeys(("TRACE", "DEBUG", "DBG", "FINE", "FINER", "FINEST", "VERBOSE", "VRB", "D", "T"), 0),
    **dict.fromkeys(("INFO", "INF", "INFORMATION", "NOTICE", "CONFIG", "LOG", "I"), 1),
    **dict.fromkeys(("WARN", "WRN", "WARNING", "W"), 2),
    **dict.fromkeys(("ERROR", "ERR", "SEVERE", "E"), 3),
    **dict.fromkeys(("FATAL", "FTL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC", "F"), 4),
}


def rank(raw: object) -> int:
    """Rank of a level's name, or of the number that Pino and Bunyan write (10 trace … 60 fatal)."""
    if isinstance(raw, str):
        return _NAMES.get(raw.strip().upper(), UNKNOWN)
    if isinstance(raw, int) and 10 <= raw <= 69:
        return max(0, min(4, raw // 10 - 2))
    return UNKNOWN


def rank_of_syslog(raw: object) -> int:
    """Rank of a severity of RFC 5424, 0 emergency … 7 debug, as a number or its digit."""
    return _SYSLOG[int(raw)] if isinstance(raw, int | str) and str(raw) in "01234567" and raw != "" else UNKNOWN


def name(found: int) -> str:
    return LEVELS[found] if found >= 0 else ""


def names_from(least: int) -> list[str]:
    """Every spelling of the levels of that rank and worse, single letters apart, lower case."""
    return sorted(word.lower() for word, rank in _NAMES.items() if rank >= least and len(word) > 1)
