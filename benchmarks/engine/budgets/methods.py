"""The ways to spend a budget that are compared, each a function from problems to what was spent on them.

All ways use the same model, greedily unless the way draws samples. Comparing them is left to `__main__`, the exit rules
of CALM to `calm`.
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
from tuili.model import LoadedModel
from tuili.steps import END_THINK, read_as
from tuili.tasks import Problem, score

PARALLEL_RESPONSES = 64
"""Written together. The number changes their time, not their tokens and layers."""
MAX_RESPONSE_TOKENS, MAX_FORCED_ANSWER_TOKENS = 400, 60
"""Of a response, and of an answer that is forced."""
TEMPERATURE = 0.7
"""Of the samples that vote (Wang et al. 2022, arXiv 2203.11171)."""

Spent = tuple[bool, int, int]
"""On one problem: whether the answer is right, the tokens written, and the layers that they took in all."""
Drawn = tuple[str, bool, int, int]
"""A sample: its answer, whether the checker takes it, its tokens and layers."""


class Methods:
    """The compared ways on one model."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.model, self.tokenizer = loaded.model, loaded.tokenizer
        self._scheduler = load_scheduler(loaded, slots=PARALLEL_RESPONSES, waiting=sys.maxsize)
        self._engine = load_engine(loaded, slots=PARALLEL_RESPONSES, waiting=sys.maxsize)

    def at_depth(self, problems: abc.Sequence[Problem], depth: Depth, threshold: float) -> list[Spent]:
        """One response to each problem: at a fixed depth, or at `auto` with a threshold on a token's probability."""
        sequences = [self._sequence(prompt, depth, threshold) for prompt in self._prompts(problems)]
        self._write(sequences)
        pairs = zip(problems, sequences, strict=True)
        return [self._spent(problem, sequence.tokens, sequence.layer_steps) for problem, sequence in pairs]

    def calm(self, problems: abc.Sequence[Problem], rules: abc.Sequence[Rule]) -> list[list[Spent]]:
        """One response to each problem with each exit rule of CALM."""
        prompts = self._prompts(problems)
        end = self.tokenizer.end_id
        assert isinstance(end, int)
        each = [rule for rule in rules for _ in problems]
        written = decode(self.model, prompts * len(rules), each, end, MAX_RESPONSE_TOKENS)
        spent = [
            self._spent(problem, tokens, sum(depths))
            for problem, (tokens, depths) in zip([*problems] * len(rules), written, strict=True)
        ]
        return [spent[start : start + len(problems)] for start in range(0, len(spent), len(problems))]

    def thinking_budgets(self, problems: abc.Sequence[Problem], budgets: abc.Sequence[int]) -> dict[int, list[Spent]]:
        """One response to each problem, whose reasoning is cut at so many tokens: the block is closed, an answer
        forced.

        The line that was cut stays as it is. The tokens that close the block count as written, with the trunk's layers.
        """
        prompts = self._prompts(problems)
        threshold = self.model.config.exit_threshold
        whole = [self._sequence(prompt, "auto", threshold) for prompt in prompts]
        self._write(whole)
        closing = self.tokenizer.token_id(END_THINK)
        assert isinstance(closing, int)
        newline = self.tokenizer.encode_text("\n")
        by_budget = {}
        for budget in budgets:
            forced: dict[int, Sequence] = {}
            for index, (prompt, sequence) in enumerate(zip(prompts, whole, strict=True)):
                if closing not in sequence.tokens[:budget] and len(sequence.tokens) > budget:
                    head = sequence.tokens[:budget]
                    closing_ids = [*([] if head[-1:] == newline else newline), closing]
                    forced[index] = self._sequence(
                        prompt + head + closing_ids, "auto", threshold, MAX_FORCED_ANSWER_TOKENS
                    )
            self._write(list(forced.values()))
            spent = []
            for index, (problem, prompt, sequence) in enumerate(zip(problems, prompts, whole, strict=True)):
                tokens, layers = sequence.tokens, sequence.layer_steps
                if answer := forced.get(index):
                    tokens = answer.prompt[len(prompt) :] + answer.tokens
                    closing_layers = (len(answer.prompt) - len(prompt) - budget) * self.model.config.trunk_layers
                    layers = sum(sequence.depths[:budget]) + closing_layers + answer.layer_steps
                spent.append(self._spent(problem, tokens, layers))
            by_budget[budget] = spent
        return by_budget

    def steps(self, problems: abc.Sequence[Problem], most: int) -> list[Spent]:
        """The engine's attempts, at most `most`: a step that the checker finds wrong is put right in the next one."""
        budget = Budget(max_steps=most, max_tokens=most * MAX_RESPONSE_TOKENS)
        answers = self._engine.answer([Request(problem.prompt, budget) for problem in problems])
        return [_answered(problem, answer) for problem, answer in zip(problems, answers, strict=True)]

    def samples(self, problems: abc.Sequence[Problem], count: int) -> list[list[Drawn]]:
        """So many responses to each problem, drawn at random."""
        requests = [
            Request(
                problem.prompt, Budget(max_tokens=MAX_RESPONSE_TOKENS), Sampling(temperature=TEMPERATURE, seed=seed)
            )
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

    def _prompts(self, problems: abc.Sequence[Problem]) -> list[list[int]]:
        """The ids of the questions, which are read first, as the engine does it."""
        return [self.tokenizer.encode_prompt(read_as(problem.prompt).text) for problem in problems]

    def _sequence(self, prompt: list[int], depth: Depth, threshold: float, most: int = MAX_RESPONSE_TOKENS) -> Sequence:
        return Sequence(prompt, SequenceLimits(most), depth=depth, exit_threshold=threshold)

    def _write(self, sequences: abc.Sequence[Sequence]) -> None:
        for sequence in sequences:
            self._scheduler.submit(sequence)
        while self._scheduler.busy:
            self._scheduler.step()

    def _spent(self, problem: Problem, tokens: abc.Sequence[int], layer_steps: int) -> Spent:
        text = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return score(problem, text) == 1.0, len(tokens), layer_steps


def _answered(problem: Problem, answer: Answer) -> Spent:
    receipt = answer.receipt
    return score(problem, answer.answer) == 1.0, receipt.tokens["generated"], receipt.layer_steps


def vote(problem: Problem, samples: abc.Sequence[Drawn], checked: bool = False) -> Spent:
    """The most frequent answer of some samples; of equally frequent ones, the first. An empty answer has no vote.

    checked: only samples that the checker takes have a vote, where there are any.
    """
    answers = [(answer, holds) for answer, holds, *_ in samples if answer]
    if checked and any(holds for _, holds in answers):
        answers = [(answer, holds) for answer, holds in answers if holds]
    votes = Counter(answer for answer, _ in answers)
    chosen = votes.most_common(1)[0][0] if votes else ""
    right = score(problem, chosen) == 1.0
    return right, sum(tokens for *_, tokens, _ in samples), sum(layers for *_, layers in samples)
