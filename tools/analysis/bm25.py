"""Which of some texts answer a few words best. Reads no file.

Method: BM25 (Robertson & Zaragoza 2009) with its usual settings over stemmed words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from tools.analysis.terms import terms

SATURATION = 1.2  # k1
LENGTH = 0.75  # b


def rank_texts(words: str, texts: Mapping[str, str]) -> list[tuple[str, float]]:
    """Keys of the texts that hold any of the words, best first."""
    counted = {key: Counter(terms(text)) for key, text in texts.items()}
    lengths = {key: sum(counts.values()) for key, counts in counted.items()}
    mean = sum(lengths.values()) / max(len(lengths), 1) or 1.0
    asked = list(dict.fromkeys(terms(words)))
    weights = {word: _rarity(word, list(counted.values())) for word in asked}
    scores = {
        key: sum(weights[word] * _share(counts[word], lengths[key] / mean) for word in asked)
        for key, counts in counted.items()
    }
    return sorted(((key, score) for key, score in scores.items() if score > 0), key=lambda pair: (-pair[1], pair[0]))


def _rarity(word: str, counted: Sequence[Counter[str]]) -> float:
    holding = sum(word in counts for counts in counted)
    return math.log(1 + (len(counted) - holding + 0.5) / (holding + 0.5))


def _share(count: int, length: float) -> float:
    return count * (SATURATION + 1) / (count + SATURATION * (1 - LENGTH + LENGTH * length))
