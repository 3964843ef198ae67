"""Labelled documents for tests, told apart by their words."""

from __future__ import annotations

import random

import numpy as np

from tuili.data.pipeline import Labelled
from tuili.data.pipeline.quality.classifier import INPUTS, LanguageWeights, Linear, Network
from tuili.data.pipeline.quality.familiarity import CLASSES, SIZES, Familiarity
from tuili.data.pipeline.quality.features import GROUPS
from tuili.data.pipeline.quality.network import HIDDEN

GOOD = "the theorem of a proof in which we show that for all sets there is a map from the first to the other one"
JUNK = "buy the best cheap shoes and click here for a free offer of the day in our shop with sale prices now"
GOOD_ZH = "我们证明对于所有的集合存在一个从前者到后者的映射并且这个定理的条件是必要的"
JUNK_ZH = "本店新款特价包邮点击购买立即下单优惠多多客服微信在线的一个好评返现"


def document(good: bool, seed: int, *, language: str = "en", words: int = 60) -> str:
    rng = random.Random(f"{good}/{seed}/{language}")
    if language == "zh":
        return "".join(rng.choice(GOOD_ZH if good else JUNK_ZH) + "，" * (n % 13 == 12) for n in range(words)) + "。"
    return " ".join(rng.choice((GOOD if good else JUNK).split()) + "." * (n % 9 == 8) for n in range(words))


def documents(count: int, *, first: int = 0, language: str = "en") -> list[Labelled]:
    """So many good documents and as much junk."""
    return [
        Labelled(document(good, seed, language=language), good)
        for seed in range(first, first + count)
        for good in (True, False)
    ]


def drawn(seed: int = 0) -> LanguageWeights:
    """Weights drawn at random."""
    rng = np.random.default_rng(seed)
    tables = tuple(rng.integers(-127, 128, size, np.int8) for size in GROUPS.values())
    known = (rng.integers(0, 256, size, np.uint8) for size in SIZES.values())
    spread = rng.uniform(0.5, 2, len(INPUTS))
    layers = rng.normal(0, 0.2, (len(INPUTS) + 1, HIDDEN)), rng.normal(0, 0.5, HIDDEN + 1)
    numbers = (one.astype(np.float32) for one in (rng.normal(0, 1, len(INPUTS)), spread, *layers))
    expected_CC = rng.uniform(0, 1, (CLASSES, CLASSES)).astype(np.float32)
    linear = Linear(tables, np.array([0.01, 0.02, 0.03], np.float32))
    return LanguageWeights(linear, Familiarity(*known, expected_CC), Network(*numbers))
