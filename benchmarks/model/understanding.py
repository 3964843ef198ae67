"""What a model understands: problems by domain and level, in seen and unseen wordings, in both languages and bare.

Unseen wordings are forms that no training uses. Bare notation is what has no words at all, such as `48+27-3=?`. Seen
wordings are also answered at full depth, so that the points that the choice of depth costs are paired by problem. How
experts are used is left to `tuili eval --full`, conversations to `talking`, proofs and programs to `proving`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.shares import asked_side_by_side, paired, share, unpaired
from benchmarks.harness.texts import own_domains
from tuili.engine import Depth, load_decoder
from tuili.eval import Cell, DepthTrend, answer_problems, cells, depth_trends, mean_depth
from tuili.model import LoadedModel, load_model
from tuili.store import model_hash, shipped_names
from tuili.tasks import Problem, Split, Wording, generate, in_every_form, unseen_problems

BARE = "bare"
"""Stands in place of a wording for the seen forms in bare notation."""
BARE_LEVEL = 1
NOTATION = frozenset({"and", "gcd", "lcm", "max", "min", "mod", "not", "or"})
"""Names of functions and operators, which are no words."""
_WORD = re.compile(r"[^\W\d_]{2,}|[\u4e00-\u9fff]")
_TRIES = 20
"""So many problems are drawn for each that is wanted, at most, where prompts must differ."""
CELL_FIGURES = ("domain", "level", "n", "accuracy", "ci95", "mean_depth", "valid_steps")
"""What the record keeps of each domain and level."""


class Asked(NamedTuple):
    """Problems of the test split: `per_cell` of each domain and level, in a wording and a language."""

    wording: str
    language: str
    domains: Sequence[str]
    levels: Sequence[int]
    per_cell: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.wording}_{self.language}"

    def problems(self) -> list[Problem]:
        """The problems; fewer of a domain that has fewer in bare notation."""
        if self.wording == BARE:
            return list(chain.from_iterable(map(self._bare, self.domains)))
        chosen = self.domains, self.levels, self.per_cell, self.seed
        return unseen_problems(*chosen, wording=self.wording, language=self.language)

    def _bare(self, domain: str) -> list[Problem]:
        seed, drawn = Split.TEST.seed(self.seed), dict[str, Problem]()
        for problem in bare_problems(domain, self.language, seed, self.per_cell * _TRIES):
            drawn.setdefault(problem.prompt, problem)
            if len(drawn) == self.per_cell:
                break
        return list(drawn.values())


@dataclass(frozen=True)
class Answered:
    """What came of some problems. right: by level, in the order of the problems. depth: mean layers of a token."""

    cells: list[Cell]
    trends: list[DepthTrend]
    right: dict[int, list[bool]]
    depth: float

    @property
    def all_right(self) -> list[bool]:
        """Of every problem, whether it was answered right."""
        return list(chain.from_iterable(self.right.values()))


def measure(
    model: str = "nano",
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    unseen_levels: tuple[int, ...] = (1, 2),
    languages: tuple[str, ...] = ("en", "zh"),
    bare: tuple[str, ...] = ("arithmetic", "equations", "number_theory", "tracing"),
    seed: int = 0,
) -> Measured:
    """Accuracy by wording, language and level, Chinese minus English, and the depth that was chosen and its cost."""
    loaded, domains = load_model(model), own_domains(model)
    groups = ((Wording.SEEN, domains, levels), (Wording.UNSEEN, domains, unseen_levels), (BARE, bare, (BARE_LEVEL,)))
    asked = [
        Asked(str(wording), language, chosen, chosen_levels, per_cell, seed)
        for wording, chosen, chosen_levels in groups
        for language in languages
    ]
    full = loaded.model.config.exit_layers[-1]
    jobs = {f"{one.name} at full depth": partial(answer, one, full) for one in asked if one.wording == Wording.SEEN}
    results = asked_side_by_side(loaded, jobs | {one.name: partial(answer, one, "auto") for one in asked})
    figures: dict[str, Figure] = {}
    for one in asked:
        figures |= of_set(one.name, results[one.name])
        if deep := results.get(f"{one.name} at full depth"):
            figures |= paired(f"{one.name}_full_over_auto", deep.all_right, results[one.name].all_right)
    for wording in dict.fromkeys(one.wording for one in asked):
        figures |= chinese_over_english(wording, results)
    return {
        "model": model if model in shipped_names() else "given",
        "model_hash": model_hash(loaded.path),
        "exit_threshold": loaded.model.config.exit_threshold,
        "layers": full,
        "problems": {"per_cell": per_cell, "split": str(Split.TEST), "seed": seed, "domains": list(domains)},
        "levels": list(levels),
        "unseen_levels": list(unseen_levels),
        "bare": {"domains": list(bare), "level": BARE_LEVEL, "rule": f"no words besides {', '.join(sorted(NOTATION))}"},
        "not_deeper_with_level": {
            one.name: [trend.domain for trend in results[one.name].trends if not trend.rises] for one in asked
        },
        "cells": {
            one.name: [{key: asdict(cell)[key] for key in CELL_FIGURES} for cell in results[one.name].cells]
            for one in asked
        },
        "goal": "seen >= 0.94, 0.85, 0.65 at levels 1 to 3, unseen >= 0.90, 0.78, bare >= 0.97; zh_over_en >= -4 "
        "points; lowest_level1 >= 0.75; mean_depth <= 4.5, full_over_auto <= 0.5 points; deeper in >= 14 domains",
    }, figures


def answer(asked: Asked, depth: Depth, loaded: LoadedModel, progress: Callable[[int, int], None]) -> Answered:
    """Answer problems at one depth, or at the depth that each token chooses."""
    decoder = load_decoder(loaded, depth, threads=torch.get_num_threads())
    responses = answer_problems(decoder, asked.problems(), progress)
    right: dict[int, list[bool]] = {}
    for response in responses:
        right.setdefault(response.problem.level, []).append(response.correct)
    return Answered(cells(responses), depth_trends(responses), right, mean_depth(responses))


def of_set(name: str, answered: Answered) -> dict[str, Figure]:
    """The figures of one wording in one language, with the domain that is worst at level 1."""
    figures: dict[str, Figure] = {}
    for level, right in answered.right.items():
        figures |= share(f"{name}_level{level}", right)
    if first := [cell.accuracy for cell in answered.cells if cell.level == 1]:
        figures[f"{name}_lowest_level1"] = Figure("share", [min(first)])
    if answered.all_right:
        figures[f"{name}_mean_depth"] = Figure("layers", [answered.depth])
    if answered.trends:
        figures[f"{name}_deeper"] = Figure("domains", [sum(trend.rises for trend in answered.trends)])
        figures[f"{name}_domains"] = Figure("domains", [len(answered.trends)])
    return figures


def chinese_over_english(wording: str, results: dict[str, Answered]) -> dict[str, Figure]:
    """How many points Chinese is above English, at each level and over all; nothing where one was not measured."""
    chinese, english = results.get(f"{wording}_zh"), results.get(f"{wording}_en")
    if not chinese or not english:
        return {}
    figures = unpaired(f"{wording}_zh_over_en", chinese.all_right, english.all_right)
    for level in chinese.right.keys() & english.right.keys():
        figures |= unpaired(f"{wording}_zh_over_en_level{level}", chinese.right[level], english.right[level])
    return figures


def bare_problems(domain: str, language: str, seed: int, count: int) -> Iterator[Problem]:
    """Problems in bare notation, in each form of a domain that is so in turns; none where no form is."""
    forms = [
        problem.form
        for problem in in_every_form(domain, seed, BARE_LEVEL, wording=Wording.SEEN, language=language)
        if is_bare(problem.prompt)
    ]
    for index in range(count if forms else 0):
        form = forms[index % len(forms)]
        problem = generate(domain, seed, index, BARE_LEVEL, language=language, form=form)
        if is_bare(problem.prompt):
            yield problem


def is_bare(prompt: str) -> bool:
    """Whether a prompt has no words: letters that stand alone and names of functions and operators are none."""
    return NOTATION.issuperset(map(str.lower, _WORD.findall(prompt)))


if __name__ == "__main__":
    run("understanding", measure)
