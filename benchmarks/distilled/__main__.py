"""Right answers of a student beside its teacher's: with the checker's mask and without, on its teacher's chains alone
or on texts, by probabilities or by the next token, and without a teacher, with its layers to begin with and with new
ones; at equal compute. On texts and without a teacher also with four times as much.

Compute is that of all products, those of writing included; hours stand beside it. All models answer the same unseen
problems, at their own depth of each token. The divergences on the way are those of the recovery's log, up to the first
step on what the student writes. What was made or measured before an interruption is kept: call the benchmark again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.distilled.training import LONGER, OF_TEACHER, PLANS, SIZES, WAYS, Size, distilled, products_of
from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, recovery
from benchmarks.harness.parents import own_parent
from benchmarks.harness.planned import PARENTS, Asked, Planned, of_parents
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.harness.shares import paired
from tuili.compress import DistilConfig, Distilling, DistilRecipe, open_parent
from tuili.config import load_recipe
from tuili.store import StoredModel, count_parameters

FOLDER = RUNS / "distilled"
COMPARED = (
    ("masked", "new"), ("masked", "untaught"), ("masked", "unmasked"), ("masked", "chains"), ("masked", "texts"),
    ("chains", "texts"), ("chains", "sequence"), ("sequence", "untaught"), ("texts", "new"), ("texts", "untaught"),
    ("texts_longer", "untaught_longer"), ("untaught", "new"),
)  # fmt: skip
SAMPLES = 200
"""Documents on which it is counted how many tokens of a row are learnt."""
TEST_SET = 10
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    models: tuple[str, ...] = PARENTS,
    to: tuple[str, ...] = (),
    ways: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    steps: int = 0,
    per_cell: int = 200,
    levels: tuple[int, ...] = (),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way and teacher, a run for each seed: of `PLANS`, unless ways, seeds or steps are given.

    to: the student's size, in place of `SIZES`. levels, changes: see `Asked`.
    """
    asked = Asked(per_cell, levels, changes, Path(folder))
    return of_parents(models, PLANS, WAYS, Planned(ways, seeds, steps), partial(_of_teacher, asked, to))


def _of_teacher(asked: Asked, given: tuple[str, ...], model: str, plan: Planned) -> Measured:
    own = own_parent(model, "distilled", asked, TEST_SET)
    teacher, answers, changes = own.stored, own.answers, asked.changes
    to = given or SIZES.get(own.name, SIZES["nano"])
    products = products_by_way(teacher, to, changes)
    compute = plan.steps * products["masked"]
    of_way = {way: round(LONGER.get(way, 1) * compute / products[way]) for way in plan.ways}
    of_student, of_parent = _begun(teacher, to, changes).parameters, answers.of(teacher.path)
    found, curves, models = list[dict[str, Figure]](), dict[str, Curve](), list[Path]()
    for seed in plan.seeds:  # so that one seed is whole where hours are cut
        of_seed, right = dict[str, Figure](), dict[str, list[bool]]()
        for way in plan.ways:
            models.append(distilled(teacher, to, way, of_way[way], seed, own.folder, changes))
            right[way] = answers.of(models[-1])
            of_seed |= costs(way, models[-1]) | answers.figures(way, right[way], of_parent)
            of_seed["parent_depth"] = of_seed[f"{way}_depth_before"]
            if way in OF_TEACHER:
                written = _config(to, (*changes, *WAYS[way])).on_policy_share * of_way[way]
                curves[f"{way}_{seed}"] = recovery(models[-1], of_way[way] - round(written))
        for one, other in COMPARED:
            if one in right and other in right:
                of_seed |= paired(f"{one}_over_{other}", right[one], right[other])
        found.append(of_seed)
    return {
        **own.told,
        "to": list(to),
        "ways": {way: [*WAYS[way], *changes] for way in plan.ways},
        "seeds": list(plan.seeds),
        "steps": of_way,
        "longer": {way: LONGER[way] for way in plan.ways if way in LONGER},
        "products": {way: round(products[way]) for way in plan.ways},
        "parameters_student": {"total": of_student.total, "active": of_student.active},
        "embedding": teacher.shape.vocab_size * teacher.shape.hidden_size,
        "goal": "90% of the teacher's accuracy at levels 1 and 2; 3 points above the same student without a teacher",
        "runs": runs_told(models),
        "curves": curves,
    }, answers.figures("parent", of_parent, of_parent) | together(found)


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
