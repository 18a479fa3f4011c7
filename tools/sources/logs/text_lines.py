"""Log lines that are text: the common application formats, logfmt, syslog, access logs. One line in, no state.

A line without a time at its start belongs to the entry above it; that is decided by the reader.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from tools.sources.logs import levels
from tools.sources.logs.entry import Body, Head
from tools.sources.timestamps import ZONES, read_us, to_us
from tools.sources.words import clean

HEAD_BYTES = 400  # time, level and service stand at the start of a line
_ZONE = rf"(?:\s?(?:Z|UTC|GMT)\b|\s?[+-]\d{{2}}:?\d{{2}}\b|\s(?:{'|'.join(ZONES)})\b)?"
_ISO = re.compile(rf"[\[(\"]?(\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?{_ZONE})[\])\"]?:?\s*")
_SYSLOG_5424 = re.compile(r"<(\d{1,3})>\d\s(\S+)\s(\S+)\s(\S+)\s(\S+)\s(\S+)\s?")
_SYSLOG_3164 = re.compile(
    r"(?:<(\d{1,3})>)?([A-Z][a-z]{2}\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d)\s(\S+)\s([\w./@-]+?)(?:\[\d+\])?:\s"
)
_ACCESS = re.compile(r"\S+ \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] \"[^\"]*\"? ?(\d{3})?")
_APACHE = re.compile(r"\[([A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4})\]\s*")
_KLOG = re.compile(r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{6})\s+\d+\s")
_EPOCH = re.compile(r"\[?(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})\]?\s")
_SELDOM = re.compile(
    r"(?P<level>[A-Z]{1,8})[:,]?\s+[\[(]?(?P<levelled>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?Z?)"
    r"|(?:https?|h2|wss?|grpcs?) (?P<balancer>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6})Z "  # AWS load balancers
    r"|(?:\d+:[A-Z] )?(?P<redis>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) "
    r"|(?P<tomcat>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{3}) "
    r"|(?P<java>[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M) "
    r"|\[(?P<bracketed>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r"|(?P<dotted>\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d(?:[.,]\d{1,6})?) "
    r"|(?P<compact>\d{8} \d\d:\d\d:\d\d(?:\.\d{1,6})?) "
    r"|(?P<asctime>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}) "
)
_SELDOM_FORMATS = {
    "balancer": ("%Y-%m-%dT%H:%M:%S.%f",), "redis": ("%d %b %Y %H:%M:%S.%f",), "tomcat": ("%d-%b-%Y %H:%M:%S.%f",),
    "java": ("%b %d %Y %I:%M:%S %p",), "bracketed": ("%d/%b/%Y:%H:%M:%S %z",),
    "compact": ("%Y%m%d %H:%M:%S.%f", "%Y%m%d %H:%M:%S"), "asctime": ("%a %b %d %H:%M:%S %Y",),
    "dotted": ("%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S"),
}  # fmt: skip
_PAIR = re.compile(r"(?<!\S)([A-Za-z_@][\w.@/-]*)=(\"(?:[^\"\\]|\\.)*\"|\S*)")
_LOGFMT = re.compile(r"[A-Za-z_@][\w.@/-]*=(?:\"|\S)")
_LEVEL = re.compile(
    r"(?<![\w-])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|ALERT|EMERG|SEVERE|PANIC"
    r"|\[(?:\w+:)?(?:trace\d?|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|alert|emerg)\]"
    r"|\[(?:VRB|DBG|INF|WRN|FTL)\]"
    r"|(?<=level=)\"?\w+|(?<=severity=)\"?\w+)(?![\w-])"
)
_NAMED = re.compile(r"(?<!\S)(?:service|service\.name|service_name|app|component)=\"?([\w./-]{1,100})")
_NAME = r"[a-zA-Z][a-zA-Z0-9]*(?:[-_.][a-zA-Z0-9]+)*"
_BEFORE_LEVEL = re.compile(rf"\[?({_NAME})\]?(?:\[\d+\])?:?\s+[-|]?\s*\[?\Z")
_AFTER_LEVEL = re.compile(
    r"[\]:]?\s*(?:\[([a-z][a-z0-9]*(?:-[a-z0-9]+)+)[\],]|([a-z][a-z0-9]*(?:-[a-z0-9]+)+)(?::\s|\s-\s))"
)
_BETWEEN = re.compile(r"\A[\]:]?\s*(?:[-|:]\s+)?")  # what parts the level from the message
_THREAD = re.compile(r"(?:^|[-_.])(?:thread|exec|worker|pool|main|nio)(?:[-_.]|\d|$)|-\d+$", re.IGNORECASE)
_MONTH_DAY = "%Y %b %d %H:%M:%S"


def head(line: bytes, newest: datetime, at_us: int | None = None) -> Head | None:
    """None where no time stands at the start; `at_us` is the time of a line that has none itself.

    `newest` (the file's own date) gives the year where a line has none, and its zone the one of times without any.
    """
    text = line[:HEAD_BYTES].decode("utf-8", "replace")
    found = _dated(text, newest, newest.tzinfo or UTC)
    return found if found or at_us is None else _application(text, 0, at_us)


def _dated(text: str, newest: datetime, zone: tzinfo) -> Head | None:
    if match := _ISO.match(text):
        return _application(text, match.end(), read_us(match[1].replace("/", "-"), zone))
    if text[:1] == "<" and (match := _SYSLOG_5424.match(text)):
        return _syslog(read_us(match[2], zone), match[1], match[4])
    if match := _SYSLOG_3164.match(text):
        return _syslog(_yearless(match[2], _MONTH_DAY, newest), match[1], match[4], text[match.end() :])
    if match := _ACCESS.match(text):
        at_us = read_us(match[1])
        return None if at_us is None else Head(at_us, 3 if (match[2] or "").startswith("5") else 1, "")
    if match := _APACHE.match(text):
        return _application(text, match.end(), read_us(match[1], zone))
    if match := _KLOG.match(text):
        at_us = _yearless(match[2], "%Y %m%d %H:%M:%S.%f", newest)
        return None if at_us is None else Head(at_us, levels.rank(match[1]), "")
    if match := _EPOCH.match(text):
        return _application(text, match.end(), read_us(match[1]))
    if _LOGFMT.match(text):
        return _logfmt(text, zone)
    return _seldom(text, match, zone) if (match := _SELDOM.match(text)) else None


def _seldom(text: str, match: re.Match[str], zone: tzinfo) -> Head | None:
    """Formats of single programs, tried last: most lines that come here are the rest of an entry."""
    kind = match.lastgroup or ""
    raw = match[kind]
    if kind == "levelled":  # Python's and Ruby's loggers put the level first
        at_us = read_us(raw.replace("/", "-").replace(",", "."), zone)
        return None if at_us is None else Head(at_us, levels.rank(match["level"]), _service(text, match.end(), None))
    for form in _SELDOM_FORMATS[kind]:
        try:
            moment = datetime.strptime(" ".join(raw.replace(",", "." if kind == "dotted" else "").split()), form)
        except ValueError:
            continue
        return _application(text, match.end(), to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone)))
    return None


def level_of(text: str) -> int:
    """The rank of the level that stands near the start of a line without a time; UNKNOWN where none does."""
    found = _LEVEL.search(text, 0, 160)
    return levels.rank(found[1].strip('[]"').split(":")[-1].rstrip("0123456789")) if found else levels.UNKNOWN


def body(line: bytes) -> Body:
    """The line's own text behind its time and level; the pairs of a logfmt line as fields."""
    text = clean(line.decode("utf-8", "replace").rstrip("\r\n"))
    if not _LOGFMT.match(text):
        return Body(_behind_head(text))
    pairs = _pairs(text)
    message = pairs.pop("msg", "") or pairs.pop("message", "")
    return Body(message or text, dict(list(pairs.items())[:60]))


def _behind_head(text: str) -> str:
    """What follows the time and the level beside it, as it stands; all of a line that has nothing else."""
    time = _ISO.match(text) or _EPOCH.match(text)
    if time is None:
        return text
    rest = _BETWEEN.sub("", text[time.end() :], count=1)
    level = _LEVEL.match(rest)
    return (_BETWEEN.sub("", rest[level.end() :], count=1) if level else rest) or text


def _application(text: str, start: int, at_us: int | None) -> Head | None:
    if at_us is None:
        return None
    found = _LEVEL.search(text, start, start + 160)
    level = levels.rank(found[1].strip('[]"').split(":")[-1].rstrip("0123456789")) if found else levels.UNKNOWN
    return Head(at_us, level, _service(text, start, found))


def _service(text: str, start: int, level: re.Match[str] | None) -> str:
    """A service only where the line says so: service=…, the bare word before the level, a hyphened name after it."""
    if named := _NAMED.search(text, start):
        return named[1]
    if level is None:
        return ""
    before = _BEFORE_LEVEL.fullmatch(text[start : level.start()])
    after = None if before else _AFTER_LEVEL.match(text, level.end())
    name = before[1] if before else (after[1] or after[2]) if after else ""
    return "" if _THREAD.search(name) else name


def _syslog(at_us: int | None, priority: str | None, program: str, rest: str = "") -> Head | None:
    if at_us is None:
        return None
    level = levels.rank_of_syslog(int(priority) % 8) if priority else levels.UNKNOWN
    if level == levels.UNKNOWN and (found := _LEVEL.search(rest, 0, 80)):
        level = levels.rank(found[1].strip('[]"'))
    return Head(at_us, level, program if program != "-" else "")


def _logfmt(text: str, zone: tzinfo) -> Head | None:
    pairs = _pairs(text)
    at_us = next(
        (found for key in ("ts", "time", "timestamp", "t") if (found := read_us(pairs.get(key), zone)) is not None),
        None,
    )
    if at_us is None:
        return None
    level = levels.rank(pairs.get("level") or pairs.get("lvl") or pairs.get("severity"))
    return Head(at_us, level, pairs.get("service") or pairs.get("app") or pairs.get("component") or "")


def _pairs(text: str) -> dict[str, str]:
    return {key: value[1:-1].replace('\\"', '"') if value[:1] == '"' else value for key, value in _PAIR.findall(text)}


def _yearless(text: str, form: str, newest: datetime) -> int | None:
    """The latest year in which the line is not younger than its file, give or take a day."""
    for year in (newest.year + 1, newest.year, newest.year - 1):
        try:
            moment = datetime.strptime(f"{year} {' '.join(text.split())}", form).replace(tzinfo=newest.tzinfo)
        except ValueError:  # 29 February of another year
            continue
        if moment <= newest + timedelta(days=1):
            return to_us(moment)
    return None
