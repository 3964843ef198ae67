"""The ways to spend a budget that are compared, each as a function from problems to outcomes.

All take the same model, greedy where nothing else is said. What a way gives is one curve: a point for each of its
settings. How points are compared is left to `__main__`.
"""

from __future__ import annotations

import sys
from collections import Counter, abc

from benchmarks.engine.budgets.calm import Rule, decode
from tuili.engine import (
    Answer,
    Budget,
    Depth,
    Outcome,
    Request,
    Sampling,
    Sequence,
    SequenceLimits,
    load_engine,
    load_scheduler,
)
from tuili.model.folder import LoadedModel
from tuili.steps import END_THINK
from tuili.tasks import Problem, score

TOGETHER = 64
"""Responses that are written together. It changes what they cost in time, not in tokens and layers."""
LONGEST, LONGEST_ANSWER = 400, 60
"""Tokens of a response, and of an answer that is forced."""
TEMPERATURE = 0.7
"""Of the samples that vote (Wang et al. 2022, arXiv 2203.11171)."""

Spent = tuple[bool, int, int]
"""Of one problem: whether the answer is right, the tokens written, and the layers that they took."""


class Methods:
    """The compared ways on one model."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.model, self.tokenizer = loaded.model, loaded.tokenizer
        self._scheduler = load_scheduler(loaded.model, loaded.tokenizer, slots=TOGETHER, waiting=sys.maxsize)
        self._engine = load_engine(loaded, slots=TOGETHER, waiting=sys.maxsize)

    def at_depth(self, problems: abc.Sequence[Problem], depth: Depth, threshold: float) -> list[Spent]:
        """One response, every token with a fixed depth, or leaving where the likeliest token is likely enough."""
        rows = [self._row(self.tokenizer.encode_prompt(problem.prompt), depth, threshold) for problem in problems]
        self._write(rows)
        return [self._spent(problem, row.tokens, row.layer_steps) for problem, row in zip(problems, rows, strict=True)]

    def calm(self, problems: abc.Sequence[Problem], rules: abc.Sequence[Rule]) -> list[list[Spent]]:
        """One response to each problem with each exit rule of CALM."""
        prompts = [self.tokenizer.encode_prompt(problem.prompt) for problem in problems]
        end = self.tokenizer.end_id
        assert isinstance(end, int)
        each = [rule for rule in rules for _ in problems]
        written = decode(self.model, prompts * len(rules), each, end, LONGEST)
        spent = [
            self._spent(problem, tokens, sum(depths))
            for problem, (tokens, depths) in zip([*problems] * len(rules), written, strict=True)
        ]
        return [spent[start : start + len(problems)] for start in range(0, len(spent), len(problems))]

    def thinking_budgets(self, problems: abc.Sequence[Problem], budgets: abc.Sequence[int]) -> dict[int, list[Spent]]:
        """One response whose reasoning is cut at so many tokens: the block is closed and the answer forced.

        The line that was cut stays as it is. What is put in counts as written, with the layers of the trunk.
        """
        prompts = [self.tokenizer.encode_prompt(problem.prompt) for problem in problems]
        threshold = self.model.config.exit_threshold
        whole = [self._row(prompt, "auto", threshold) for prompt in prompts]
        self._write(whole)
        closing = self.tokenizer.token_id(END_THINK)
        assert isinstance(closing, int)
        newline = self.tokenizer.encode_text("\n")
        found = {}
        for budget in budgets:
            forced: dict[int, Sequence] = {}
            for index, (prompt, row) in enumerate(zip(prompts, whole, strict=True)):
                if closing not in row.tokens[:budget] and len(row.tokens) > budget:
                    head = row.tokens[:budget]
                    put_in = [*([] if head[-1:] == newline else newline), closing]
                    forced[index] = self._row(prompt + head + put_in, "auto", threshold, LONGEST_ANSWER)
            self._write(list(forced.values()))
            spent = []
            for index, (problem, prompt, row) in enumerate(zip(problems, prompts, whole, strict=True)):
                tokens, layers = row.tokens, row.layer_steps
                if answer := forced.get(index):
                    tokens = answer.prompt[len(prompt) :] + answer.tokens
                    put_in_layers = (len(answer.prompt) - len(prompt) - budget) * self.model.config.trunk_layers
                    layers = sum(row.depths[:budget]) + put_in_layers + answer.layer_steps
                spent.append(self._spent(problem, tokens, layers))
            found[budget] = spent
        return found

    def steps(self, problems: abc.Sequence[Problem], most: int) -> list[Spent]:
        """The engine's control loop: what the checker finds wrong is put right, up to so many attempts."""
        budget = Budget(max_steps=most, max_tokens=most * LONGEST)
        answers = self._engine.answer([Request(problem.prompt, budget) for problem in problems])
        return [_answered(problem, answer) for problem, answer in zip(problems, answers, strict=True)]

    def samples(self, problems: abc.Sequence[Problem], count: int) -> list[list[tuple[str, bool, int, int]]]:
        """So many responses to each problem, drawn at random: answer, whether the checker takes it, tokens, layers."""
        requests = [
            Request(problem.prompt, Budget(max_tokens=LONGEST), Sampling(temperature=TEMPERATURE, seed=seed))
            for problem in problems
            for seed in range(count)
        ]
        answers = self._engine.answer(requests)
        drawn = [
            (
                answer.answer,
                answer.receipt.outcome is Outcome.ANSWERED,
                answer.receipt.tokens["generated"],
                answer.receipt.layer_steps,
            )
            for answer in answers
        ]
        return [drawn[start : start + count] for start in range(0, len(drawn), count)]

    def _row(self, prompt: list[int], depth: Depth, threshold: float, most: int = LONGEST) -> Sequence:
        return Sequence(prompt, SequenceLimits(most), depth=depth, exit_threshold=threshold)

    def _write(self, rows: abc.Sequence[Sequence]) -> None:
        for row in rows:
            self._scheduler.submit(row)
        while self._scheduler.busy:
            self._scheduler.step()

    def _spent(self, problem: Problem, tokens: abc.Sequence[int], layer_steps: int) -> Spent:
        text = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return score(problem, text) == 1.0, len(tokens), layer_steps


def _answered(problem: Problem, answer: Answer) -> Spent:
    receipt = answer.receipt
    return score(problem, answer.answer) == 1.0, receipt.tokens["generated"], receipt.layer_steps


def vote(problem: Problem, samples: abc.Sequence[tuple[str, bool, int, int]], checked: bool = False) -> Spent:
    """What the most samples say, the first of those that are alike often; with `checked`, among those without a wrong
    step where there are any. No answer has no vote.
    """
    answers = [(answer, holds) for answer, holds, *_ in samples if answer]
    if checked and any(holds for _, holds in answers):
        answers = [(answer, holds) for answer, holds in answers if holds]
    votes = Counter(answer for answer, _ in answers)
    chosen = votes.most_common(1)[0][0] if votes else ""
    right = score(problem, chosen) == 1.0
    return right, sum(tokens for *_, tokens, _ in samples), sum(layers for *_, layers in samples)
