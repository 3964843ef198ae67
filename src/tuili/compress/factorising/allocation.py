"""Chooses the option of each matrix so that the least is lost within a number of parameters.

Dynamic: an option's loss is weighted by how much its matrix matters. If the options of a matrix have diminishing
returns, as on their convex hull, the best choice is always the next option with the largest gain per parameter
(Everett 1963); the parameters left in the end go to whatever still fits. Uniform: every matrix keeps about the same
share of its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tuili.compress.factorising.options import Option

Options = Sequence[Option]
"""The options of a matrix by rising parameters; the best comes first among equals."""


def least_parameters(matrices: Sequence[Options]) -> int:
    """The total parameters of all matrices at their smallest."""
    return sum(options[0].parameters for options in matrices)


def dynamic(matrices: Sequence[Options], weights: Sequence[float], budget: int) -> list[Option]:
    """One option for each matrix, with at most `budget` parameters in total.

    weights: how much the error of each matrix counts. The budget must have room for the smallest options.
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
    """As `dynamic`, but each matrix keeps about the same share of its parameters."""
    better = [_ever_better(options) for options in matrices]
    order = [[option.parameters / options[-1].parameters for option in options[1:]] for options in better]
    return _climbed(better, order, budget)


def convex_hull(options: Options) -> list[Option]:
    """The options with falling gain per parameter, from the smallest to the one that loses the least."""
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
    """The option that each matrix reaches on its ladder, step by step in a common order, while there is room.

    order: a number for each step of each ladder, rising along the ladder. Among equal numbers, such as those of the
    same matrix in several layers, the matrices in the middle of the network come last, because it tolerates loss best.
    """
    left = budget - least_parameters(ladders)
    assert left >= 0
    places = [0] * len(ladders)
    middle = (len(ladders) - 1) / 2
    steps = [(key, number, place) for number, keys in enumerate(order) for place, key in enumerate(keys)]
    for _, number, place in sorted(steps, key=lambda step: (step[0], -abs(step[1] - middle), step)):
        before, after = ladders[number][place : place + 2]
        more = after.parameters - before.parameters
        if places[number] == place and more <= left:  # a step that does not fit ends its ladder
            places[number], left = place + 1, left - more
    return [ladder[place] for ladder, place in zip(ladders, places, strict=True)]


def _gain(before: Option, after: Option) -> float:
    return (before.error - after.error) / (after.parameters - before.parameters)


def _by_error(option: Option) -> tuple[float, int]:
    return option.error, option.parameters
