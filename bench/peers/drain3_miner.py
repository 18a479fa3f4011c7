"""drain3 over the lines of a file: with its defaults, or with the masks of the configuration it ships as an example."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

from bench.answering import serve

BEFORE, AFTER = r"((?<=[^A-Za-z0-9])|^)", r"((?=[^A-Za-z0-9])|$)"
MASKS = (
    (r"(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))", "ID"),
    (r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})", "IP"),
    (r"([0-9a-f]{6,} ?){3,}", "SEQ"),
    (r"([0-9A-F]{4} ?){4,}", "SEQ"),
    (r"(0x[a-f0-9A-F]+)", "HEX"),
    (r"([\-\+]?\d+)", "NUM"),
)
_lines: list[str] = []
_groups: list[int] = []


def read(file: str, at_most: int) -> dict[str, Any]:
    _lines[:] = Path(file).read_text().splitlines()[:at_most]
    return {"lines": len(_lines)}


def mined(masks: bool) -> dict[str, Any]:
    config = TemplateMinerConfig()
    config.masking_instructions = [
        MaskingInstruction(f"{BEFORE}{pattern}{AFTER}", name) for pattern, name in (MASKS if masks else ())
    ]
    miner = TemplateMiner(config=config)
    started = time.perf_counter()
    _groups[:] = [miner.add_log_message(line)["cluster_id"] for line in _lines]
    return {"ms": (time.perf_counter() - started) * 1_000, "templates": len(miner.drain.clusters)}


def groups() -> dict[str, Any]:
    return {"groups": _groups}


if __name__ == "__main__":
    serve(read=read, mined=mined, groups=groups)
