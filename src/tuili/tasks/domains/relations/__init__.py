"""Orders of people: compare two, find the first, sort all, or compute an amount from differences.

A chain follows one person through the facts, depth first and in label order, in a direction that does not depend on the
answer. So each problem has one chain, and each line follows from the prompt and the lines before it.
"""

from __future__ import annotations

import random

from tuili.tasks.building.words import FIRST_NAMES
from tuili.tasks.content import Content
from tuili.tasks.domains.relations.amounts import amount_of
from tuili.tasks.domains.relations.levels import LEVEL_SPECS
from tuili.tasks.domains.relations.orders import arrange, compare
from tuili.tasks.registry import domain


@domain("relations", phase=1)
class Relations:
    """Comparisons (is Ann taller than Dan?), extremes (who is oldest?), sorting, and amounts (how old is Eve?)."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        question = rng.choice(spec.questions)
        count = rng.randint(*spec.people)
        people = rng.sample(FIRST_NAMES, count + spec.distractors)
        path, others = people[:count], people[count:]
        if question == "compare":
            return compare(rng, spec, path, others)
        if question == "amount":
            return amount_of(rng, spec, path, others)
        return arrange(rng, spec, path, question)
