"""Which option each matrix takes, so that least is lost within a number of parameters.

Dynamic: what an option loses counts by how much its matrix matters. Where the options of a matrix have returns that
diminish, as on their convex hull, to take what gains most for each parameter next is best (Everett 1963); what is left
in the end goes to whatever still fits. Uniform: every matrix keeps about the same share of its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tuili.compress.factorising.options import Option

Options = Sequence[Option]
"""Of a matrix, by parameters rising, of equal ones the best first."""


def least_parameters(matrices: Sequence[Options]) -> int:
    """What all matrices take together at their smallest."""
    return sum(options[0].parameters for options in matrices)


def dynamic(matrices: Sequence[Options], weights: Sequence[float], budget: int) -> list[Option]:
    """An option for each matrix, which take `budget` parameters together at most.

    weights: how much the error of each matrix counts. There must be room for the smallest options.
    """
    hulls = [convex_hull(options) for options in matrices]
    order = [[-weight * _gain(*step) for step in pairwise(hull)] for hull, weight in zip(hulls, weights, strict=True)]
    taken = _climbed(hulls, order, budget)
    left = budget - sum(option.parameters for option in taken)
    for number in sorted(range(len(taken)), key=lambda each: (-weights[each] * taken[each].error, each)):
        room = taken[number].parameters + left
        best = min((option for option in matrices[number] if option.parameters <= room), key=_by_error)
        if best.error < taken[number].error:
            left -= best.parameters - taken[number].parameters
            taken[number] = best
    return taken


def uniform(matrices: Sequence[Options], budget: int) -> list[Option]:
    """The same with a share of its parameters for each matrix that is about that of the others."""
    better = [_ever_better(options) for options in matrices]
    order = [[option.parameters / options[-1].parameters for option in options[1:]] for options in better]
    return _climbed(better, order, budget)


def convex_hull(options: Options) -> list[Option]:
    """The options from the smallest to the one that loses the least whose gain for each parameter falls."""
    hull = list[Option]()
    for option in _ever_better(options):
        while len(hull) > 1 and _gain(hull[-1], option) >= _gain(hull[-2], hull[-1]):
            hull.pop()
        hull.append(option)
    return hull


def _ever_better(options: Options) -> list[Option]:
    """The options that lose less than all smaller ones."""
    better = list[Option]()
    for option in options:
        if not better or option.error < better[-1].error:
            better.append(option)
    return better


def _climbed(ladders: Sequence[Options], order: Sequence[Sequence[float]], budget: int) -> list[Option]:
    """Where each matrix gets to on its ladder, step by step in a common order, as long as there is room.

    order: a number for each step of each ladder, which rises along the ladder. Of equal ones, such as those of the same
    matrix in several layers, those in the middle of the network come last, which bears it best.
    """
    left = budget - least_parameters(ladders)
    assert left >= 0
    places = [0] * len(ladders)
    middle = (len(ladders) - 1) / 2
    steps = [(key, number, place) for number, keys in enumerate(order) for place, key in enumerate(keys)]
    for _, number, place in sorted(steps, key=lambda step: (step[0], -abs(step[1] - middle), step)):
        before, after = ladders[number][place : place + 2]
        more = after.parameters - before.parameters
        if places[number] == place and more <= left:  # what there was no room for ends its ladder
            places[number], left = place + 1, left - more
    return [ladder[place] for ladder, place in zip(ladders, places, strict=True)]


def _gain(before: Option, after: Option) -> float:
    return (before.error - after.error) / (after.parameters - before.parameters)


def _by_error(option: Option) -> tuple[float, int]:
    return option.error, option.parameters
