"""Where logs, metrics, traces and changes are read from: named, set by the operator, opened by URL.

A source is written as a URL (`file:///var/log/shop`, later `loki+https://…`). A folder is one source for everything at
once; a single `*.log` file is a source of logs only. Back ends live one to a file under logs/, metrics/, traces/ and
changes/ and know nothing of each other.
"""

from __future__ import annotations

from tools.sources.source_set import SourceSet, parse_spec
from tools.sources.spec import KINDS, Kind, SourceSpec, SourceState

__all__ = ["KINDS", "Kind", "SourceSet", "SourceSpec", "SourceState", "parse_spec"]
