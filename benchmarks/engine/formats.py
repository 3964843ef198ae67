"""The native step in each of its number formats, beside the torch step in fp32: tokens, texts and accuracy of nano.

tokens: the torch step writes responses greedily at full depth; every format reads them, and at each place its likeliest
token is compared with the one that stands there. texts: engines of both steps in fp32 answer requests with random
budgets, deadlines left out. accuracy: at chosen depth, over unseen problems of its domains at levels 1 to 3, the same
for all. A block has one problem of each domain and level. What was measured before an interruption is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from random import Random
from typing import Any

import torch

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.computing import Computing, computing
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import own_domains
from tuili.engine import (
    MAX_LOGPROBS,
    Answer,
    Budget,
    Numbers,
    Request,
    Sampling,
    SequenceLimits,
    load_decoder,
    load_engine,
    load_scheduler,
)
from tuili.engine import Sequence as Text
from tuili.eval import answer_problems, paired_difference
from tuili.model import LoadedModel, load_model
from tuili.steps import read_turns
from tuili.tasks import Problem, unseen_problems

LEVELS = (1, 2, 3)
SEED = 3
"""Of the problems."""
SLOTS = 64
"""Texts that are written together, which changes their time alone."""
TORCH = Computing("torch", "fp32")
FORMATS = ("fp32", "bf16", "int8", "int4")
MAX_RESPONSE_TOKENS = 400
CLOSE = 1e-4
"""Nats. Tokens whose log-probabilities differ by more are counted as apart; one may have taken another expert."""
TokenLogprobs = Any
"""An element of `logprobs` of a sequence."""


def measure(blocks: int = 21, per_cell: int = 200, formats: tuple[str, ...] = FORMATS) -> Measured:
    """Tokens and texts over `blocks` of a prompt for each domain and level; accuracy over `per_cell` of each."""
    torch.set_num_threads(1)  # nano's operations are too small for several
    cells, compared = Cells("formats", {"blocks": blocks}), Compared(load_model("nano"))
    chosen = [computing("native", numbers).numbers for numbers in formats]
    figures: dict[str, Figure] = {}
    problems = unseen_problems(own_domains(), LEVELS, blocks, SEED)
    forced: dict[Numbers, list[dict[str, Any]]] = {numbers: [] for numbers in chosen}
    texts = []
    for number in range(blocks):
        prompts = [problem.prompt for problem in problems[number::blocks]]
        written = cells.get(f"written/{number}", partial(compared.write, prompts))
        for numbers in chosen:
            cell = f"forced/{numbers}/{number}"
            forced[numbers].append(cells.get(cell, partial(compared.read, prompts, written, numbers)))
        texts.append(cells.get(f"texts/{number}", partial(compared.same_texts, prompts, number)))
        print(f"bench: formats: {number + 1} of {blocks} blocks", flush=True)
    for numbers, results in forced.items():
        tokens = sum(result["tokens"] for result in results)
        figures[f"{numbers}_equal_tokens"] = Figure("share", [sum(each["equal"] for each in results) / tokens])
        figures[f"{numbers}_apart"] = Figure("tokens", [sum(each["apart"] for each in results)])
        figures[f"{numbers}_tokens"] = Figure("tokens", [tokens])
        figures[f"{numbers}_largest_difference"] = Figure("nats", [max(each["largest"] for each in results)])
    figures["budgeted_prompts"] = Figure("prompts", [sum(text["prompts"] for text in texts)])
    figures["budgeted_equal_texts"] = Figure("prompts", [sum(text["equal"] for text in texts)])
    figures |= accuracy(cells, compared, chosen, per_cell)
    return {
        "blocks": blocks,
        "per_cell": per_cell,
        "levels": LEVELS,
        "seed": SEED,
        "runtimes": {name: str(compared.runtime(how)) for name, how in sides(chosen).items()},
        "difference": f"of the log-probabilities of the {MAX_LOGPROBS} likeliest tokens",
        "goal": "fp32: 1e-4 nats, all texts equal; bf16 0.999, int8 0.995 of the tokens; within 0.2 points",
    }, figures


def sides(formats: Sequence[Numbers]) -> dict[str, Computing]:
    """The torch step and the native formats by their names in the record."""
    return {"torch": TORCH} | {numbers: Computing("native", numbers) for numbers in formats}


def accuracy(cells: Cells, compared: Compared, formats: Sequence[Numbers], per_cell: int) -> dict[str, Figure]:
    """The accuracy of each side, and how many points a native format gains over the torch step."""
    right: dict[str, list[bool]] = {name: [] for name in sides(formats)}
    for level in LEVELS:
        for domain in own_domains():
            problems = unseen_problems([domain], [level], per_cell, SEED)
            for name, how in sides(formats).items():
                cell = f"accuracy/{name}/{domain}/{level}/{per_cell}"
                right[name] += cells.get(cell, partial(compared.right, problems, how))["right"]
        print(f"bench: formats: accuracy at level {level}", flush=True)
    figures = {f"{name}_accuracy": Figure("%", [100 * sum(each) / len(each)]) for name, each in right.items()}
    for numbers in formats:
        difference, _ = paired_difference(right[numbers], right["torch"])
        figures[f"{numbers}_over_torch"] = Figure("points", [100 * difference])
    return figures


class Compared:
    """One model with both steps, each loaded once."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._known: tuple[list[tuple[int, ...]], list[list[TokenLogprobs]]] | None = None
        self._scheduler = cache(lambda how: load_scheduler(loaded, **how._asdict(), slots=SLOTS))
        self._engine = cache(lambda how: load_engine(loaded, **how._asdict(), slots=SLOTS))
        self._decoder = cache(lambda how: load_decoder(loaded, "auto", **how._asdict(), batch_size=SLOTS))

    def runtime(self, how: Computing) -> object:
        """How one side computes."""
        return self._scheduler(how).runner.runtime

    def write(self, prompts: Sequence[str]) -> list[list[int]]:
        """The torch step's responses at full depth."""
        full, limits = self._loaded.model.config.exit_layers[-1], SequenceLimits(MAX_RESPONSE_TOKENS)
        texts = [Text(self._prompt_ids(prompt), limits, depth=full) for prompt in prompts]
        self._run(texts, TORCH)
        return [text.tokens for text in texts]

    def read(self, prompts: Sequence[str], written: Sequence[Sequence[int]], numbers: Numbers) -> dict[str, float]:
        """How many likeliest tokens are those that were written, how many are apart from the torch step's, and the
        largest difference of log-probabilities.
        """
        tokens = equal = apart = 0
        largest = 0.0
        for ours, theirs, response in zip(
            self._scored(prompts, written, Computing("native", numbers)),
            self._by_torch(prompts, written),
            written,
            strict=True,
        ):
            tokens += len(response)
            equal += sum(place.top[0][0] == token for place, token in zip(ours, response, strict=True))
            differences = [*map(difference, ours, theirs)]
            apart += sum(each > CLOSE for each in differences)
            largest = max(largest, *differences)
        return {"tokens": tokens, "equal": equal, "apart": apart, "largest": largest}

    def _by_torch(self, prompts: Sequence[str], written: Sequence[Sequence[int]]) -> list[list[TokenLogprobs]]:
        """The torch step's log-probabilities, worked out once for all formats."""
        texts = [*map(tuple, written)]
        if self._known is None or self._known[0] != texts:
            self._known = texts, self._scored(prompts, written, TORCH)
        return self._known[1]

    def _scored(
        self, prompts: Sequence[str], written: Sequence[Sequence[int]], how: Computing
    ) -> list[list[TokenLogprobs]]:
        sampling, texts = Sampling(prompt_logprobs=MAX_LOGPROBS), list[Text]()
        for prompt, response in zip(prompts, written, strict=True):
            ids = self._prompt_ids(prompt)
            texts.append(Text([*ids, *response], SequenceLimits(1), sampling, score_from=len(ids)))
        self._run(texts, how)
        return [text.logprobs for text in texts]

    def _prompt_ids(self, prompt: str) -> list[int]:
        return self._loaded.tokenizer.encode_prompt(*read_turns(prompt, ()))

    def _run(self, texts: Sequence[Text], how: Computing) -> None:
        scheduler = self._scheduler(how)
        for text in texts:
            scheduler.submit(text)
        while scheduler.busy:
            scheduler.step()

    def same_texts(self, prompts: Sequence[str], seed: int) -> dict[str, int]:
        """How many answers under random budgets are the same by both steps in fp32."""
        random = Random(seed)
        requests = [Request(prompt, random_budget(random)) for prompt in prompts]
        pairs = zip(*(self._engine(how).answer(requests) for how in (Computing("native", "fp32"), TORCH)), strict=True)
        same = [_text(one) == _text(other) for one, other in pairs]
        return {"prompts": len(same), "equal": sum(same)}

    def right(self, problems: Sequence[Problem], how: Computing) -> dict[str, list[bool]]:
        """Which problems are answered right at chosen depth."""
        return {"right": [response.correct for response in answer_problems(self._decoder(how), problems)]}


def _text(answer: Answer) -> tuple[object, ...]:
    """All that was written, and what it took."""
    steps, receipt = [step.text for step in answer.steps], answer.receipt
    return answer.answer, steps, receipt.tokens, receipt.layer_steps, receipt.attempts


def difference(one: TokenLogprobs, other: TokenLogprobs) -> float:
    """The largest difference of the log-probabilities of tokens that both tell."""
    others = dict(other.top)
    told = [abs(value - others[token]) for token, value in one.top if token in others]
    return float(max(abs(one.chosen - other.chosen), *told))


def random_budget(random: Random) -> Budget:
    """A budget of tokens, attempts and layer-steps."""
    return Budget(
        max_steps=random.choice((1, 1, 2, 4)),
        max_tokens=random.choice((8, 30, 100, 400)),
        max_layer_steps=random.choice((None, None, 100, 400, 1_500)),
    )


if __name__ == "__main__":
    run("formats", measure)
