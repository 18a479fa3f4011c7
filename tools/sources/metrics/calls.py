"""Who calls whom, from metrics tables whose rows name both ends of a call: what a mesh or a tracing pipeline counts.

Only the two columns are read; the points of such a table are metrics as any others.
"""

from __future__ import annotations

from functools import lru_cache

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.metrics.tables import header_of, pairs_in
from tools.sources.words import clean

# Columns or labels of the caller and the callee: Tempo and the OpenTelemetry connector, Istio, Linkerd, one's own.
ENDS = (
    ("client", "server"), ("source_workload", "destination_workload"), ("deployment", "dst_deployment"),
    ("caller", "callee"),
)  # fmt: skip
NOBODY = frozenset({"", "unknown"})


def names_calls(root: Root, file: str) -> bool:
    """Whether the table has such columns. Reads its head once."""
    try:
        return _ends(str(root.path), file, root.fingerprint(file)) is not None
    except Refused:
        return False  # the metrics of that file say why


def calls_in(root: Root, file: str) -> list[tuple[str, str]]:
    """(caller, callee), sorted. Raises Refused in words."""
    return list(_calls(str(root.path), file, root.fingerprint(file)))


@lru_cache(maxsize=64)
def _ends(root: str, file: str, seen: Fingerprint) -> tuple[str, str] | None:
    there = {name.strip().lower(): name for name in header_of(Root(root), file)}
    return next(((there[one], there[other]) for one, other in ENDS if one in there and other in there), None)


@lru_cache(maxsize=16)
def _calls(root: str, file: str, seen: Fingerprint) -> tuple[tuple[str, str], ...]:
    ends = _ends(root, file, seen)
    found = pairs_in(Root(root), file, ends) if ends else []
    cleaned = {(clean(caller, 200), clean(callee, 200)) for caller, callee in found}
    return tuple(sorted(pair for pair in cleaned if not NOBODY & set(pair)))
