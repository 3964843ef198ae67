"""Imported models as generators of chains: questions from files, asked in the chat template, and answers after steps.

They write in the engine, in the same way as requests are answered, with whatever their folder asks for. `chains`
defines the labels of a chain, and `generator` the interface.

Dimensions: A rows, Q tokens of a response, T these and the one before, M hidden size, V vocabulary, F features.
"""

from __future__ import annotations

from collections import abc
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tuili.engine import (
    Budget,
    CheckedStep,
    Engine,
    JudgedChain,
    Numbers,
    Promises,
    Request,
    Sampling,
    StateReader,
    StopReason,
    default_calculator,
    dialect_of,
    load_scheduler,
    load_state_reader,
    parse_prose,
)
from tuili.errors import InputError
from tuili.eval import Comparison
from tuili.model import response_features
from tuili.posttrain.verifier.chains import (
    GENERATED,
    GENERATED_TOKENS,
    GENERATION_SLOTS,
    UNKNOWN_LABEL,
    Chain,
    GenerationMode,
    ProgressCallback,
    right_line,
)
from tuili.posttrain.verifier.questions import problems_in_splits, problems_of_set
from tuili.posttrain.verifier.recipe import ChainCounts, VerifierTrainingConfig
from tuili.steps import Context, Status, Turns, render_response
from tuili.store import ForeignTokenizer, ImportedModel, open_model, open_tensors, opens_thinking
from tuili.tasks import Problem, Split


class ImportedGenerator:
    """See `Generator`.

    What a question asks, without its numbers, decides its split; what was made from a record is in the record's split.
    numbers: the numeric format in which the model runs; by default as requests are answered on this machine.

    Raises `ModelFolderError` as `open_model` does, `RecordError` for a line of data that is not a question, and
    `InputError` without data, and if a split has no question.
    """

    first_modes = tuple(map(GenerationMode, (0.8, 1.0, 0.0, 0.6)))
    attack_modes = tuple(map(GenerationMode, (1.0, 0.8)))

    def __init__(self, config: VerifierTrainingConfig, numbers: Numbers = "auto") -> None:
        stored = open_model(config.model)
        assert isinstance(stored, ImportedModel)
        if not config.data:
            raise InputError(f"verifier.data: name files with questions and answers: {stored.path} is imported")
        self._config, self._stored, self._numbers = config, stored, numbers
        self._comparison = Comparison.of_model(stored.path, stored.tokenizer)
        context = stored.shape.max_position_embeddings
        self._problems = problems_in_splits(config.data, stored.tokenizer, context, config.seed)

    @property
    def path(self) -> Path:
        """See `Generator`."""
        return self._stored.path

    @property
    def hidden_size(self) -> int:
        """See `Generator`."""
        return self._stored.shape.hidden_size

    def problems(self, split: Split, number: int, counts: ChainCounts) -> list[Problem]:
        """See `Generator`. When the questions of the data are used up, they repeat."""
        return problems_of_set(self._problems[split], number, counts, self._config)

    def render(self, problem: Problem, steps: abc.Sequence[str], answer: str, source: str) -> Chain | None:
        """See `Generator`."""
        tokenizer = self._stored.tokenizer
        prompt = dialect_of(tokenizer).encode(Turns(problem.prompt), self._stored.shape.max_position_embeddings)
        response = [*tokenizer.encode_response(prompt, render_response(steps, answer)), tokenizer.end_id]
        return label_response(tokenizer, problem, prompt, response, source, self._comparison)

    def write(
        self, requests: abc.Sequence[tuple[Problem, GenerationMode]], seed: int, tell: ProgressCallback
    ) -> list[Chain]:
        """See `Generator`."""
        tokenizer = self._stored.tokenizer
        scheduler = load_scheduler(self._stored, slots=GENERATION_SLOTS, waiting=len(requests), numbers=self._numbers)
        engine = Engine(scheduler, tokenizer, Promises(None), calculator=default_calculator(self.path))
        budget = Budget(max_tokens=GENERATED_TOKENS)
        tickets = []
        for number, (problem, mode) in enumerate(requests):
            sampling = Sampling(temperature=mode.temperature, seed=seed * len(requests) + number)
            tickets.append(engine.admit(Request(problem.prompt, budget, sampling)))
        ended = 0
        while engine.busy:
            ended += len(engine.step())
            tell(ended, len(requests))
        written = [ticket.state.attempts[0].sequence for ticket in tickets]
        chains = (
            label_response(tokenizer, problem, sequence.prompt, sequence.tokens, GENERATED, self._comparison)
            for (problem, _), sequence in zip(requests, written, strict=True)
            if sequence.stop is StopReason.END
        )
        return [chain for chain in chains if chain is not None]

    def reading_order(self, chain: Chain) -> tuple[int, ...]:
        """See `Generator`. Chains with the same prompt are adjacent, so that it is read once."""
        return chain.ids

    @cached_property
    def _reader(self) -> StateReader:
        return load_state_reader(self._stored, numbers=self._numbers)

    @cached_property
    def _ends(self) -> tuple[Tensor, Tensor]:
        """The gain of the final norm [M], and the embeddings [V, M]."""
        with open_tensors(self.path, self._stored.shape) as tensors:
            norm_M, embedding_VM = (_floats(tensors[f"model.{name}.weight"]) for name in ("norm", "embed_tokens"))
        return norm_M, embedding_VM

    @torch.inference_mode()
    def features(self, rows: abc.Sequence[tuple[abc.Sequence[int], int]]) -> Tensor:
        """See `Generator`."""
        features = list[Tensor]()
        norm_M, embedding_VM = self._ends
        for ids, prompt in rows:
            read = self._reader.read(ids, prompt - 1)
            state_TM, logit_TV = (torch.cat([torch.as_tensor(part) for part in parts]).float().cpu() for parts in read)
            state_TM = F.rms_norm(state_TM, norm_M.shape, norm_M, self._stored.shape.rms_norm_eps)
            id_1Q = torch.tensor([ids[prompt:]])
            features.append(response_features(state_TM[None, 1:], logit_TV[None, :-1], None, id_1Q, embedding_VM)[0])
        return torch.nn.utils.rnn.pad_sequence(features, batch_first=True)


def _floats(array: NDArray[Any]) -> Tensor:
    """A tensor of a folder, where uint16 stands for bf16."""
    if array.dtype == np.uint16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16).float()
    return torch.from_numpy(array.copy())


def label_response(
    tokenizer: ForeignTokenizer,
    problem: Problem,
    prompt: abc.Sequence[int],
    response: abc.Sequence[int],
    source: str,
    comparison: Comparison = Comparison.VALUE,
) -> Chain | None:
    """A response with its labels; None if it is not a complete answer, ended by a token that ends one.

    The end of a step is the last token with text of its line, as in the engine. comparison: what makes the answer
    right.
    """
    if response[-1] not in tokenizer.end_ids:
        return None
    judged = JudgedChain(problem.context, problem.prompt, problem.earlier)
    read = parse_prose(tokenizer, response, [1] * len(response), judged, inside=opens_thinking(tokenizer, prompt))
    if not read.complete:
        return None
    labels, wrong, known, start = [UNKNOWN_LABEL] * len(response), None, True, 0
    ends, context = list[int](), problem.context
    for number, step in enumerate(read.steps):
        assert step.last_token is not None
        ends.append(step.last_token)
        if wrong is not None:
            continue
        if step.verdict.status is Status.INVALID:
            wrong, labels[step.last_token] = number, 0
            right = _right_tokens(step, context)
            if right is not None:
                first = step.last_token + 1 - len(step.pieces)
                labels[first : first + right] = [1 if known else UNKNOWN_LABEL] * right
                labels[first + right : step.last_token] = [0] * (step.last_token - first - right)
            continue
        known = known and step.verdict.status is Status.VALID
        labels[start : step.last_token + 1] = [1 if known else UNKNOWN_LABEL] * (step.last_token + 1 - start)
        start, context = step.last_token + 1, context.after(step.text, step.verdict)
    is_right = comparison.is_right(problem.answer, read.answer, problem.specification)
    if wrong is None and is_right and known:
        labels[start:] = [1] * (len(response) - start)
    labels[-1] = int(is_right)
    if wrong is None and not is_right:
        wrong = len(ends)
    ends.append(len(response) - 1)
    return Chain(problem.id, source, (*prompt, *response), len(prompt), tuple(labels), tuple(ends), wrong, known)


def _right_tokens(step: CheckedStep, context: Context) -> int | None:
    """How many tokens of a wrong line spell the beginning of the right one; None as for `right_line`."""
    right = right_line(step.text, step.verdict, context)
    if right is None:
        return None
    written, count = "", 0
    for text, _ in step.pieces[:-1]:
        written += text
        if not right.startswith(written):
            break
        count += 1
    return count
