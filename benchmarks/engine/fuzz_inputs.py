"""What `fuzz` runs and asks: a tiny model with promises, a runner that writes whole responses, and random requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch

from benchmarks.harness.simulated import Clock, SimulatedRunner
from benchmarks.harness.tiny import randomize_weights, save_tiny
from tuili.engine import (
    CALIBRATION_FILE,
    FEATURES,
    Budget,
    Calibration,
    Depth,
    Entry,
    ModelRunner,
    PrefillOutput,
    Request,
    Runtime,
    Sample,
    Sampling,
    Sequence,
    StepOutput,
    StepPolicy,
)
from tuili.model import LoadedModel, LoadedVerifier, Verifier, load_model, write_verifier
from tuili.steps import CHECKER_VERSION, END_THINK, THINK, CalculatorMode
from tuili.store import AnyTokenizer, Tokenizer, VerifierConfig, model_hash, verifier_hash
from tuili.store import VerifierCalibration as Curves

OPENINGS = ("What is 48 / 2 + 7?", "Each name stands for a number.\nP1: Leo = Zoe + 3\n", "Solve for t: ")

Value = TypeVar("Value")


def load_tiny_model(folder: Path) -> LoadedModel:
    """A model of random weights, so large that texts differ."""
    loaded = load_model(save_tiny(folder, top_units=2, window=4, max_unit=4))
    randomize_weights(loaded.model)
    return loaded


def add_promises(loaded: LoadedModel, runtime: Runtime) -> None:
    """Give a model an untrained verifier, and a calibration for a runtime that some answers satisfy."""
    torch.manual_seed(1)
    line = ((-8.0, 0.0), (8.0, 1.0))
    size = VerifierConfig(loaded.model.config.hidden_size, channels=8, layers=1, heads=1)
    write_verifier(loaded.path, LoadedVerifier(Verifier(size).eval(), Curves(line, line), {}))
    entries = tuple(
        Entry(error_tolerance=0.1, max_steps=steps, max_tokens=tokens, threshold=0.5, n=100, wrong=1, bound=0.05)
        for steps in (1, 2)
        for tokens in (5, 12)
    )
    calibration = Calibration(
        model=model_hash(loaded.path),
        verifier=verifier_hash(loaded.path),
        checker=CHECKER_VERSION,
        runtime=runtime,
        exit_threshold=loaded.model.config.exit_threshold,
        delta=0.05,
        coefficients=(1.0,) + (0.0,) * (len(FEATURES) - 1),
        features=FEATURES,
        constant=0.0,
        rejected=0.9,
        sample=Sample(
            source="none", sha256="", fitted=0, n=100, longest_prompt=400, accuracy=0.5, calibration_error=0.0
        ),
        entries=entries,
        curves=(),
    )
    (loaded.path / CALIBRATION_FILE).write_text(calibration.model_dump_json(), encoding="utf-8")


class JitteryRunner(SimulatedRunner):
    """A runner whose work takes a little more or less time than usual. warm: whether the engine has been warmed up."""

    def __init__(self, runner: ModelRunner, clock: Clock, random: Random) -> None:
        super().__init__(runner, clock, lambda: random.uniform(0.8, 1.2))
        self.warm = False


class CompletingRunner(JitteryRunner):
    """Replaces tokens at random by those of a well-formed response, so that some responses are whole, and some have
    calculations."""

    def __init__(self, runner: ModelRunner, clock: Clock, random: Random, tokenizer: AnyTokenizer) -> None:
        super().__init__(runner, clock, random)
        self._random, self._ends = random, tokenizer.end_ids[:1]
        opening, closing = (
            [tokenizer.token_id(tag)] if isinstance(tokenizer, Tokenizer) else tokenizer.encode_text(tag)
            for tag in (THINK, END_THINK)
        )
        self._opening, self._closing = (*opening, *tokenizer.encode_text("\n")), tuple(closing)
        texts = ("7", "=", "\n7 * 7 = ", "\n2 + 41 =", "\n6 * 7 = 41\n", "\n")
        self._planned = WeakKeyDictionary[Sequence, list[int]]()
        """What a sequence writes next."""
        self._others = [tuple(tokenizer.encode_text(text)) for text in texts]

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        output = super().prefill(sequence, tokens, policy)
        return output if output.first is None else replace(output, first=self._completed(output.first))

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        return [self._completed(output) for output in super().decode(policy)]

    def _completed(self, output: StepOutput) -> StepOutput:
        """The output with some tokens replaced."""
        sequence, tokens = output.sequence, list(output.sequence.tokens)
        for token in output.tokens:
            planned = self._planned.setdefault(sequence, [])
            if self.warm and not planned and self._random.random() < 0.7:
                planned += self._random.choice(self._choices(tokens)) if tokens else self._opening
            tokens.append(planned.pop(0) if planned else token)
        return replace(output, tokens=tokens[len(sequence.tokens) :])

    def _choices(self, tokens: list[int]) -> list[tuple[int, ...]]:
        """What may stand behind some tokens: the end, where the thinking has been closed."""
        size = len(self._closing)
        closed = any(tuple(tokens[place : place + size]) == self._closing for place in range(len(tokens)))
        return [*self._others, *[self._ends if closed else self._closing] * 3]


def random_request(random: Random, exits: tuple[int, ...]) -> Request:
    """A request of any kind to a model with these exits; some requests must be refused."""

    def sometimes(chance: float, value: Value) -> Value | None:
        return value if random.random() < chance else None

    fixed = (exits[0], exits[len(exits) // 2], exits[-1])
    depth: Depth = random.choice(("auto",) * 8 + fixed * 2 + ("exact", "exact", exits[-1] + 3))
    budget = Budget(
        max_steps=random.choice((1, 1, 1, 2, 4)),
        max_tokens=random.choice((1, 2, 5, 12, 30, 60)),
        max_layer_steps=sometimes(0.3, int(exits[-1] * random.choice((0.25, 1, 2.25, 7.5, 20)))),
        error_tolerance=sometimes(0.15, random.choice((0.01, 0.2, 0.2, 0.2))),
        deadline_ms=sometimes(0.4, random.choice((1.0, 20.0, 60.0, 200.0, 1_000.0)) * random.uniform(0.5, 1.5)),
    )
    stops = ("7", "1 ", "=="), ("\n",), ("</think>",)
    sampling = Sampling(
        temperature=random.choice((0.0, 0.0, 0.0, 0.7, 2.0)),
        top_p=random.choice((1.0, 0.8)),
        top_k=random.choice((0, 3)),
        seed=random.randrange(2**63),
        stop=sometimes(0.2, random.choice(stops)) or (),
    )
    if budget.error_tolerance is not None and random.random() < 0.8:
        depth, sampling = "auto", Sampling()
    tail = "".join(random.choices("0123456789+-*/ tx=\n", k=random.choice((0, 3, 10, 60))))
    prompt = random.choice((*OPENINGS * 15, "", "x" * 600)) + tail
    calculator: CalculatorMode = random.choice(("off", "off", "repair", "forced"))
    if budget.error_tolerance is not None and random.random() < 0.8:
        calculator = "off"
    return Request(prompt, budget, sampling, depth, priority=random.randint(-1, 2), calculator=calculator)
