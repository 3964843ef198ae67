"""Training a verifier: chains of a first round, then rounds in which the generator looks for chains that fool it.

What it learns from is labelled in `chains` and kept as `features` in the folder of the run, so that a run that was
interrupted goes on; the learning itself is left to `fit`, what it is worth is found by `measure`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tuili.errors import InputError
from tuili.files import check_folder_place, whole_file, write_durably, writing
from tuili.model import LoadedVerifier, Verifier, load_model, probabilities, write_verifier
from tuili.posttrain.verifier.chains import RIGHT, UNKNOWN, Chain, Way, mutated, rendered, written
from tuili.posttrain.verifier.features import Examples, examples, joined
from tuili.posttrain.verifier.fit import fit, judged
from tuili.posttrain.verifier.measure import calibrate, report
from tuili.posttrain.verifier.recipe import Amount, Plan
from tuili.store import LineageEntry, VerifierConfig, model_hash, read_lineage, write_lineage
from tuili.tasks import MUTATION_KINDS, Split, domain_names, generate

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts of it are finished, and how many there are."""

DEFAULT = Way()
WAYS = (DEFAULT, Way(exit=0), Way(0.7), Way(threshold=0.9), Way(1.0), Way(exit=-1), Way(1.2), Way(1.0, exit=-1))
"""How the model writes what the verifier learns from."""
ATTACKS = (Way(1.0), Way(1.0, exit=-1), DEFAULT)
"""How it looks for chains that fool the verifier."""
SETS_PER_SEED = 100
RUN_FILE, REPORT = "run.json", Path("tuili") / "verifier.json"


@dataclass(frozen=True)
class Outcome:
    """The model folder with the verifier, and its figures after the last round and, as `first`, before any."""

    model: Path
    figures: Mapping[str, float]
    first: Mapping[str, float]


class Run:
    """The folder of a run of a plan: what was made in it before is read again.

    Raises `InputError` where no folder can be, or where it holds a run and `resume` is not set or the plan or the model
    has changed.
    """

    def __init__(self, plan: Plan, folder: Path, resume: bool, tell: Progress) -> None:
        check_folder_place(folder)
        self.plan, self.folder, self._tell = plan, folder, tell
        self.loaded = load_model(plan.model)
        if (folder / "model").resolve() == self.loaded.path.resolve():
            raise InputError(f"model = {plan.model} is where this run writes its own model: choose another --out")
        fixed = {"plan": plan.model_dump(mode="json"), "model": model_hash(self.loaded.path)}
        file = folder / RUN_FILE
        if file.exists() and not resume:
            raise InputError(f"{folder} already holds a run: add --resume to go on, or choose another --out")
        if file.exists() and json.loads(file.read_bytes()) != fixed:
            raise InputError(f"{folder}: the run began with another recipe or model: choose another --out")
        with writing(folder, "choose another place"):
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(file, json.dumps(fixed, indent=2).encode())

    def first(self) -> Examples:
        """What the verifier learns from before any round."""
        return self._kept("first", partial(self._to_learn_from, 0, self.plan.first, WAYS))

    def learnt(self) -> Examples:
        """What the verifier has learnt from after all rounds."""
        learnt = self.first()
        for number in range(1, self.plan.rounds + 1):
            learnt = joined([learnt, self.fooling(number, self.verifier(number - 1, learnt))])
        return learnt

    def validation(self) -> Examples:
        """What probabilities and threshold are fitted to: no kind of error that is held out."""
        ways, kinds = (DEFAULT,), self.plan.kinds
        return self._kept("validation", partial(self._chains, Split.VALIDATION, 0, self.plan.validation, ways, kinds))

    def test(self) -> Examples:
        """What the figures are taken from: all kinds of errors."""
        return self._kept("test", partial(self._chains, Split.TEST, 0, self.plan.test, (DEFAULT,), MUTATION_KINDS))

    def pool(self, number: int) -> Examples:
        """What the generator tries in a round."""
        return self._kept(f"pool-{number}", partial(self._to_learn_from, number, self.plan.attack, ATTACKS))

    def fooling(self, number: int, verifier: Verifier) -> Examples:
        """Chains of which the verifier of the round before was wrong about a step or the answer."""
        pool = self.pool(number)
        chance_E = judged(verifier, pool)[pool.end_E].sigmoid()
        label_E = pool.label_N[pool.end_E]
        fooled_E = (label_E != UNKNOWN) & ((chance_E - label_E).abs() > 0.5)
        chosen_C = torch.zeros(len(pool), dtype=torch.bool)
        chosen_C[pool.chain_E[fooled_E]] = True
        return pool.some(chosen_C)

    def verifier(self, number: int, learnt: Examples) -> Verifier:
        """The verifier that has learnt from this, in round `number`."""
        return self.trained(str(number), learnt, self.plan.seed)

    def trained(self, name: str, learnt: Examples, seed: int) -> Verifier:
        """The verifier of that name, read or trained on these examples."""
        config = VerifierConfig(self.loaded.model.config.hidden_size, **self.plan.size.model_dump())
        file = self.folder / f"verifier-{name}.safetensors"
        if not file.exists():
            verifier = fit(learnt, config, self.plan.fit, seed, partial(self._tell, f"fit {name}"))
            with whole_file(file) as part:
                save_file(verifier.state_dict(), part)
        verifier = Verifier(config)
        verifier.load_state_dict(load_file(file))
        return verifier.eval()

    def _kept(self, name: str, chains: Callable[[str], Sequence[Chain]]) -> Examples:
        """The examples of that name, read or made."""
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            own = examples(self.loaded.model, chains(name), partial(self._tell, f"{name}: features"))
            own.save(file)
        return Examples.load(file)

    def _to_learn_from(self, number: int, amount: Amount, ways: Sequence[Way], name: str) -> list[Chain]:
        """Chains on training problems, without the kinds of errors that are held out."""
        return self._chains(Split.TRAIN, number, amount, ways, self.plan.kinds, name, twice=True)

    def _chains(
        self,
        split: Split,
        number: int,
        amount: Amount,
        ways: Sequence[Way],
        kinds: Sequence[str],
        name: str,
        twice: bool = False,
    ) -> list[Chain]:
        """Right chains, mutants, and what the model wrote in answer to fresh problems; none twice."""
        seed = self.plan.seed * SETS_PER_SEED + number
        problems = [
            generate(domain, split.seed(seed), index, level)
            for domain in domain_names()
            for level in self.plan.levels
            for index in range(amount.problems)
        ]
        found = [rendered(self.loaded, problem, problem.steps, problem.answer, RIGHT) for problem in problems]
        for done, problem in enumerate(problems, start=1):
            found += mutated(self.loaded, problem, kinds, seed, amount.mutants, twice)
            self._tell(f"{name}: mutants", done, len(problems))
        asked = list(zip([p for p in problems for _ in range(amount.written)], cycle(ways), strict=False))
        found += written(self.loaded, asked, seed, partial(self._tell, f"{name}: writing"))
        return list({(chain.ids, chain.source): chain for chain in found if chain is not None}.values())


def train_verifier(plan: Plan, out: Path, *, resume: bool, tell: Progress) -> Outcome:
    """Train a verifier by a plan in the folder `out`; it comes with a copy of its language model, `out/model`.

    See `Run` for what is refused. With `resume`, a run that was interrupted goes on.
    """
    run = Run(plan, out, resume, tell)
    learnt = run.learnt()
    verifiers = run.verifier(0, run.first()), run.verifier(plan.rounds, learnt)
    validation, test = run.validation(), run.test()
    calibration = [calibrate(verifier, validation, plan.kinds) for verifier in verifiers]
    first, last = (
        report(test, probabilities(own, judged(verifier, test)[test.end_E], test.last_E), own.thresholds, plan.held_out)
        for verifier, own in zip(verifiers, calibration, strict=True)
    )
    figures = last | {"chains": len(learnt), "tokens": len(learnt.label_N)}
    folder = out / "model"
    with writing(folder, "choose another place"):
        shutil.copytree(run.loaded.path, folder, dirs_exist_ok=True)
    write_verifier(folder, LoadedVerifier(verifiers[-1], calibration[-1], figures))
    made = {"plan": plan.model_dump(mode="json"), "figures": figures, "without_rounds": first}
    write_durably(folder / REPORT, (json.dumps(made, indent=2) + "\n").encode())
    digest = model_hash(folder)
    seeds, recipe = {"verifier": plan.seed}, {"verifier": made["plan"]}
    entry = LineageEntry("verifier", recipe, figures, seeds, len(learnt.label_N), parent=digest, hash=digest)
    write_lineage(folder, (*(own for own in read_lineage(run.loaded.path) if own.step != "verifier"), entry))
    return Outcome(folder, figures, first)
