"""The shipped model on unseen problems: verified drafts against plain full depth, token for token, and what nano's own
depths are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.engine.ours import compiles
from tuili.engine.decode import Decoder, Generation
from tuili.engine.request import Depth
from tuili.eval.runner import unseen_problems
from tuili.model.folder import LoadedModel
from tuili.tasks import domains

SEED = 3


def prompts(per_cell: int) -> list[list[str]]:
    """Prompts of all domains at levels 1 to 3, in blocks of one for each domain and level."""
    problems = unseen_problems(domains(), (1, 2, 3), per_cell, SEED)
    return [[problem.prompt for problem in problems[block::per_cell]] for block in range(per_cell)]


def exit_shares(loaded: LoadedModel) -> list[float]:
    """The share of nano's tokens that leave at each exit where depth is chosen."""
    written = Decoder(loaded.model, loaded.tokenizer, "auto").generate(prompts(1)[0])
    depths = Counter(depth for generation in written for depth in generation.depths)
    return [depths[depth] / depths.total() for depth in loaded.model.config.exit_layers]


class Decoders:
    """nano at full depth, at chosen depth, and with verified drafts, eager and compiled where that is offered."""

    def __init__(self, loaded: LoadedModel, batch: int) -> None:
        depths: dict[str, Depth] = {"full": loaded.model.config.exit_layers[-1], "auto": "auto", "exact": "exact"}
        self._decoders: dict[str, Decoder] = {}
        for compiled in (False, True) if compiles() else (False,):
            options: dict[str, Any] = {"compiled": True} if compiled else {}
            for name, depth in depths.items():
                key = f"{'compiled' if compiled else 'eager'}_{name}"
                self._decoders[key] = Decoder(loaded.model, loaded.tokenizer, depth, batch_size=batch, **options)
        for decoder in self._decoders.values():
            decoder.generate(prompts(1)[0][:batch])

    def block(self, texts: Sequence[str]) -> dict[str, Any]:
        """All of them on the same prompts in turns: tokens and processor tokens a second, and how many responses of
        `exact` are those of full depth.
        """
        found: dict[str, Any] = {}
        written: dict[str, list[Generation]] = {}
        for name, decoder in self._decoders.items():
            wall, processor = time.perf_counter(), time.process_time()
            written[name] = decoder.generate(texts)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            tokens = sum(len(generation.tokens) for generation in written[name])
            found[name] = {"tokens_per_second": tokens / wall, "tokens_per_cpu_second": tokens / processor}
        pairs = zip(written["eager_exact"], written["eager_full"], strict=True)
        return found | {"prompts": len(texts), "identical": sum(one.tokens == other.tokens for one, other in pairs)}
