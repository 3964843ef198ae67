"""The run of a verifier's training: chains of a first round, then rounds in which the generator looks for chains that
fool it.

`chains` makes the chains, which are stored as `examples` in the run folder, so that an interrupted run can continue.
`fit` does the fitting, and `training` writes the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file

from tuili.errors import InputError
from tuili.files import whole_file, write_durably, writing
from tuili.model import Verifier
from tuili.posttrain.verifier.chains import (
    CORRECT,
    DEFAULT_MODE,
    PROBLEM_SETS_PER_SEED,
    UNKNOWN_LABEL,
    Chain,
    GenerationMode,
    mutant_chains,
)
from tuili.posttrain.verifier.examples import Examples, build_examples, concatenate
from tuili.posttrain.verifier.fit import fit_verifier, predict_logits
from tuili.posttrain.verifier.generator import Generator
from tuili.posttrain.verifier.imported import ImportedGenerator
from tuili.posttrain.verifier.own import OwnGenerator
from tuili.posttrain.verifier.recipe import ChainCounts, VerifierTrainingConfig
from tuili.store import (
    IMPORTED_TYPES,
    VerifierConfig,
    model_hash,
    model_type,
    resolve_model,
)
from tuili.tasks import MUTATION_KINDS, Problem, Split
from tuili.train import RunFolder

TaskCallback = Callable[[str, int, int], None]
"""Called with the name of the task, how many of its parts are finished, and how many there are."""

PLACE_REMEDY = "choose another place"
WRITTEN_BLOCK = 256
"""Responses that are stored together."""
_CHAINS = TypeAdapter(list[Chain])


class VerifierRun:
    """A run in its folder, which reuses what an earlier session made there.

    Raises `InputError` if the folder cannot be created, and if it holds a run and `resume` is not set or the
    configuration or the model has changed.
    """

    def __init__(self, config: VerifierTrainingConfig, path: Path, resume: bool, tell: TaskCallback) -> None:
        folder = RunFolder(path)
        self.config, self.path, self._tell = config, path, tell
        self.generator = generator_of(config)
        folder.refuse_own_model(self.generator.path, f"model = {config.model}")
        fixed = {"plan": config.model_dump(mode="json"), "model": model_hash(self.generator.path)}
        recorded = folder.recorded(resume)
        if recorded not in (None, fixed):
            raise InputError(f"{path}: the run began with another recipe or model: choose another --out")
        with writing(path, PLACE_REMEDY):
            path.mkdir(parents=True, exist_ok=True)
            folder.record(fixed)

    def first_examples(self) -> Examples:
        """The examples that the verifier learns from before the first round."""
        return self._kept("first", partial(self._training_chains, 0, self.config.first, self.generator.first_modes))

    def training_examples(self) -> Examples:
        """The examples that the verifier has learnt from after the last round."""
        examples = self.first_examples()
        for number in range(1, self.config.rounds + 1):
            verifier = self.verifier_after(number - 1, examples)
            examples = concatenate([examples, self.fooling_examples(number, verifier)])
        return examples

    def validation_examples(self) -> Examples:
        """The examples for fitting probabilities and thresholds, without the held-out kinds of errors."""
        counts, kinds = self.config.validation, self.config.kinds
        return self._kept("validation", partial(self._chains, Split.VALIDATION, 0, counts, (DEFAULT_MODE,), kinds))

    def test_examples(self) -> Examples:
        """The examples for the figures, with errors of all kinds."""
        counts = self.config.test
        return self._kept("test", partial(self._chains, Split.TEST, 0, counts, (DEFAULT_MODE,), MUTATION_KINDS))

    def attack_examples(self, number: int) -> Examples:
        """The examples that the generator tries in a round."""
        return self._kept(
            f"pool-{number}", partial(self._training_chains, number, self.config.attack, self.generator.attack_modes)
        )

    def fooling_examples(self, number: int, verifier: Verifier) -> Examples:
        """The chains of a round for which this verifier, trained before it, is wrong about a step or the answer."""
        pool = self.attack_examples(number)
        chance_E = predict_logits(verifier, pool)[pool.end_E].sigmoid()
        label_E = pool.label_N[pool.end_E]
        fooled_E = (label_E != UNKNOWN_LABEL) & ((chance_E - label_E).abs() > 0.5)
        chosen_C = torch.zeros(len(pool), dtype=torch.bool)
        chosen_C[pool.chain_E[fooled_E]] = True
        return pool.select(chosen_C)

    def verifier_after(self, number: int, examples: Examples) -> Verifier:
        """The verifier after round `number`, in which it learns from these examples."""
        return self.trained_verifier(str(number), examples, self.config.seed)

    def trained_verifier(self, name: str, examples: Examples, seed: int) -> Verifier:
        """The verifier of that name, read from the folder or else trained on these examples."""
        config = VerifierConfig(self.generator.hidden_size, **self.config.size.model_dump())
        file = self.path / f"verifier-{name}.safetensors"
        if not file.exists():
            verifier = fit_verifier(examples, config, self.config.fit, seed, partial(self._tell, f"fit {name}"))
            with whole_file(file) as part:
                save_file(verifier.state_dict(), part)
        verifier = Verifier(config)
        rounded = {name: tensor.half().float() for name, tensor in load_file(file).items()}  # as its file stores it
        verifier.load_state_dict(rounded)
        return verifier.eval()

    def _kept(self, name: str, make_chains: Callable[[str], Sequence[Chain]]) -> Examples:
        """The examples of that name, read from the folder or else made from these chains."""
        file = self.path / f"{name}.safetensors"
        if not file.exists():
            generator, told = self.generator, partial(self._tell, f"{name}: features")
            build_examples(generator.features, make_chains(name), told, generator.reading_order).save(file)
        for block in self.path.glob(f"{name}-written-*.json"):
            block.unlink()
        return Examples.load(file)

    def _training_chains(
        self, number: int, counts: ChainCounts, modes: Sequence[GenerationMode], name: str
    ) -> list[Chain]:
        """Chains on training problems, without the held-out kinds of errors."""
        return self._chains(Split.TRAIN, number, counts, modes, self.config.kinds, name, twice=True)

    def _chains(
        self,
        split: Split,
        number: int,
        counts: ChainCounts,
        modes: Sequence[GenerationMode],
        kinds: Sequence[str],
        name: str,
        twice: bool = False,
    ) -> list[Chain]:
        """Right chains, mutants, and what the model writes, on the problems of set `number`, without duplicates."""
        seed, generator = self.config.seed * PROBLEM_SETS_PER_SEED + number, self.generator
        problems, render = generator.problems(split, number, counts), generator.render
        worked = [problem for problem in problems if problem.steps]
        chains = [render(problem, problem.steps, problem.answer, CORRECT) for problem in worked]
        for done, problem in enumerate(worked, start=1):
            chains += mutant_chains(render, problem, kinds, seed, counts.mutants, twice)
            self._tell(f"{name}: mutants", done, len(worked))
        repeated = [problem for problem in problems for _ in range(counts.written)]
        requests = list(zip(repeated, cycle(modes), strict=False))
        chains += self._written(requests, seed, name)
        return list({(chain.ids, chain.source): chain for chain in chains if chain is not None}.values())

    def _written(self, requests: Sequence[tuple[Problem, GenerationMode]], seed: int, name: str) -> list[Chain]:
        """What the model writes. Each block is stored until the examples are, so that a kill loses one at most."""
        blocks = [requests[start : start + WRITTEN_BLOCK] for start in range(0, len(requests), WRITTEN_BLOCK)]
        chains = list[Chain]()
        for number, block in enumerate(blocks):
            file = self.path / f"{name}-written-{number}.json"
            if not file.is_file():

                def tell(ended: int, _: int, before: int = number * WRITTEN_BLOCK) -> None:
                    self._tell(f"{name}: writing", before + ended, len(requests))

                made = self.generator.write(block, seed * len(blocks) + number, tell)
                write_durably(file, _CHAINS.dump_json(made))
            chains += _CHAINS.validate_json(file.read_bytes(), strict=True)
        return chains


def generator_of(config: VerifierTrainingConfig) -> Generator:
    """The model of a recipe, of Tuili's own kind or imported. Raises what the generators raise."""
    imported = model_type(resolve_model(config.model)) in IMPORTED_TYPES
    return ImportedGenerator(config) if imported else OwnGenerator(config)
