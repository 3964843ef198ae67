"""Right answers of a student beside its teacher's: with the checker's mask and without, on texts alone, on its
teacher's chains, and without a teacher, with its layers to begin with and with new ones; at equal compute.

Compute is that of all products, those of writing included; hours stand beside it. All models answer the same unseen
problems, at their own depth of each token.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.distilled.training import WAYS, Size, distilled, products_of
from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import costs
from benchmarks.harness.parents import own_parent
from benchmarks.harness.record import Figure, together
from benchmarks.harness.shares import paired
from tuili.compress import DistilConfig, Distilling, DistilRecipe, open_parent
from tuili.config import load_recipe
from tuili.store import StoredModel, count_parameters

FOLDER = RUNS / "distilled"
SIZE = (
    "trunk_layers=2", "num_groups=2", "group_layers=1", "num_experts=4", "moe_intermediate_size=48",
    "intermediate_size=192",
)  # fmt: skip
"""Of `nano`, whose embedding is counted apart: a tenth of all parameters, a third of the active ones at most."""
COMPARED = (
    ("masked", "new"), ("masked", "untaught"), ("masked", "unmasked"), ("masked", "texts"), ("texts", "sequence"),
    ("sequence", "untaught"),
)  # fmt: skip
SAMPLES = 200
"""Documents on which it is counted how many tokens of a row are learnt."""
TEST_SET = 10
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    model: str = "nano",
    to: tuple[str, ...] = SIZE,
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1, 2, 3),
    steps: int = 4000,
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed. to: the student's size. changes: more of the recipe, for all."""
    own = own_parent(model, "distilled", per_cell, levels, TEST_SET)
    teacher, answers = own.stored, own.answers
    products = products_by_way(teacher, to, changes)
    of_way = {way: round(steps * products["masked"] / products[way]) for way in ways}
    of_student = _begun(teacher, to, changes).parameters
    found = list[dict[str, Figure]]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed, right = dict[str, Figure](), {"parent": answers.of(teacher.path)}
        for way in ways:
            student = distilled(teacher, to, way, of_way[way], seed, Path(folder), changes)
            right[way] = answers.of(student)
            of_seed |= costs(way, student)
            of_seed["parent_depth"] = of_seed[f"{way}_depth_before"]
        for name, of_model in right.items():
            of_seed |= answers.figures(name, of_model, right["parent"])
        for one, other in COMPARED:
            if one in right and other in right:
                of_seed |= paired(f"{one}_over_{other}", right[one], right[other])
        found.append(of_seed)
    return {
        **own.told,
        "to": list(to),
        "ways": {way: [*WAYS[way], *changes] for way in ways},
        "seeds": list(seeds),
        "steps": of_way,
        "products": {way: round(products[way]) for way in ways},
        "parameters_student": {"total": of_student.total, "active": of_student.active},
        "embedding": teacher.shape.vocab_size * teacher.shape.hidden_size,
        "goal": "90% of the teacher's accuracy at levels 1 and 2; 3 points above the same student without a teacher",
    }, together(found)


def products_by_way(teacher: StoredModel, to: tuple[str, ...], changes: tuple[str, ...]) -> dict[str, float]:
    """Products of a step of each way, for a token of its rows."""
    student = _begun(teacher, to, changes)
    tokens = learnt = 0
    for block in student.parent.data(None, print).samples(SAMPLES):
        tokens += int((block.documents_BT >= 0).sum())
        learnt += int((block.targets_BT >= 0).sum())
    shares = student.exit_shares
    depth = sum(share * exit / (len(shares) - 1) for exit, share in enumerate(shares))
    width = _config(to, changes).to.overrides.get("hidden_size", teacher.shape.hidden_size)
    vocabulary, of_teacher = teacher.shape.vocab_size, count_parameters(teacher.shape)
    sizes = Size(student.parameters, vocabulary * width), Size(of_teacher, vocabulary * teacher.shape.hidden_size)
    on_policy = _config(to, changes).on_policy_share
    return {way: products_of(way, *sizes, learnt / tokens, depth, on_policy) for way in WAYS}


def _begun(teacher: StoredModel, to: tuple[str, ...], changes: tuple[str, ...]) -> Distilling:
    """The distillation of a student of this size."""
    config = _config(to, changes)
    return Distilling(open_parent(teacher.path, config.healing), config)


def _config(to: tuple[str, ...], changes: tuple[str, ...]) -> DistilConfig:
    return load_recipe("distil", [*(f"distil.to.overrides.{field}" for field in to), *changes], DistilRecipe).distil


if __name__ == "__main__":
    run("distilled", measure)
