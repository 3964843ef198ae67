"""Draws programs in the language of `tuili.steps.programs`: mostly sound ones, with a fault here and there."""

from __future__ import annotations

import random

from tuili.steps import programs

_INFIX = ("+", "-", "*", "//", "%", "+", "-")
_COMPARED = ("<", "<=", ">", ">=", "==", "!=")
_FUNCTIONS = ("f", "g", "h")
_MAX_DEPTH = 3


class ProgramWriter:
    """Writes one program. Each variable holds numbers (`a`, `b`, …) or lists (`xs`, `ys`), unless it is a slip."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._parameters: dict[str, tuple[str, ...]] = {}

    def program(self) -> str:
        """One to three functions, each of which may call itself and those before it."""
        names = _FUNCTIONS[: self._rng.randint(1, 3)]
        return "\n\n".join(self._function(name) for name in names)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of the last function."""
        return tuple(self._parameters.values())[-1]

    def _function(self, name: str) -> str:
        self._parameters[name] = tuple(self._rng.sample(("a", "b", "xs", "ys"), self._rng.randint(1, 3)))
        head = f"def {name}({', '.join(self._parameters[name])}):"
        body = [*self._block(1, self._rng.randint(1, 5), in_loop=False), f"  return {self._anything()}"]
        return "\n".join([head, *self._first_values(name), *body])

    def _first_values(self, name: str) -> list[str]:
        """Nearly every variable begins with a value, so that most runs come far."""
        others = [one for one in ("a", "b", "c", "i", "xs", "ys") if one not in self._parameters[name]]
        given = [one for one in others if self._rng.random() < 0.97]
        return [f"  {one} = {'[3, 1, 2, 5]' if one in ('xs', 'ys') else self._rng.randint(0, 9)}" for one in given]

    def _block(self, depth: int, count: int, in_loop: bool) -> list[str]:
        return [line for _ in range(count) for line in self._statement(depth, in_loop)]

    def _statement(self, depth: int, in_loop: bool) -> list[str]:
        rng, space = self._rng, "  " * depth
        kind = rng.random()
        if depth <= _MAX_DEPTH and kind < 0.45:
            return self._compound(depth, in_loop)
        if in_loop and kind < 0.52:
            return [space + rng.choice(("break", "continue", "pass"))]
        if kind < 0.57:
            return [f"{space}return {self._anything()}"]
        if kind < 0.66:
            return [space + rng.choice((f"{self._list()}.append({self._number()})", f"xs.pop({self._maybe_index()})"))]
        if kind < 0.74:
            target = f"{rng.choice(('xs', 'ys'))}[{self._index()}]"
            return [f"{space}{target} {rng.choice(('=', '+=', '*=', '-='))} {self._number()}"]
        if kind < 0.80:
            return [f"{space}{rng.choice(('a, b', 'c, a', 'b, c'))} = {self._number()}, {self._number()}"]
        if kind < 0.87:
            return [f"{space}{rng.choice(('xs', 'ys'))} {rng.choice(('=', '+='))} {self._list(1)}"]
        return [f"{space}{rng.choice('abc')} {rng.choice(('=', '=', '+=', '-=', '*=', '//=', '%='))} {self._number()}"]

    def _compound(self, depth: int, in_loop: bool) -> list[str]:
        rng, space = self._rng, "  " * depth
        kind = rng.random()
        if kind < 0.45:
            lines = [f"{space}if {self._condition()}:", *self._block(depth + 1, rng.randint(1, 2), in_loop)]
            for _ in range(rng.randint(0, 1)):
                lines += [f"{space}elif {self._condition()}:", *self._block(depth + 1, 1, in_loop)]
            if rng.random() < 0.5:
                lines += [f"{space}else:", *self._block(depth + 1, 1, in_loop)]
            return lines
        body = self._block(depth + 1, rng.randint(1, 2), in_loop=True)
        if kind < 0.7:
            ends = ", ".join(self._small() for _ in range(rng.choice((1, 2, 2, 3))))
            return [f"{space}for {rng.choice('abci')} in range({ends}):", *body]
        if kind < 0.85:
            return [f"{space}for {rng.choice('abc')} in {self._list(2)}:", *body]
        return [f"{space}while {self._condition()}:", *body, f"{space}  {rng.choice('abc')} -= {rng.randint(1, 3)}"]

    def _anything(self) -> str:
        return self._rng.choice((self._number, self._list, self._condition))()

    def _small(self) -> str:
        return self._rng.choice((str(self._rng.randint(-3, 9)), "len(xs)", "a", self._number(2)))

    def _number(self, depth: int = 0) -> str:
        rng = self._rng
        kind = rng.random()
        if kind < 0.02:
            return self._list(depth + 1)
        if depth >= _MAX_DEPTH or kind < 0.4:
            return rng.choice(("a", "b", "c", "i", str(rng.randint(-9, 30)), str(rng.randint(0, 3)), "True"))
        if kind < 0.7:
            left, right = self._number(depth + 1), self._number(depth + 1)
            text = f"{left} {rng.choice(_INFIX)} {right}"
            return f"({text})" if rng.random() < 0.4 else text
        if kind < 0.75:
            return f"({self._number(depth + 1)}) ** {rng.randint(0, 4)}"
        if kind < 0.82:
            return f"{self._list(depth + 1)}[{self._index()}]"
        if kind < 0.9:
            name = rng.choice(("len", "sum", "max", "min", "abs"))
            return f"{name}({self._number(depth + 1) if name == 'abs' else self._list(depth + 1)})"
        if kind < 0.94:
            return f"({self._number(depth + 1)} if {self._condition(depth + 1)} else {self._number(depth + 1)})"
        if kind < 0.97:
            return f"-{rng.choice('abc')}"
        return self._call(depth)

    def _call(self, depth: int) -> str:
        name, parameters = self._rng.choice([*self._parameters.items()])
        arguments = [self._list(depth + 1) if p in ("xs", "ys") else self._number(depth + 1) for p in parameters]
        return f"{name}({', '.join(arguments)})"

    def _list(self, depth: int = 0) -> str:
        rng = self._rng
        kind = rng.random()
        if depth >= _MAX_DEPTH or kind < 0.5:
            return rng.choice(("xs", "ys", "[]", "xs"))
        if kind < 0.7:
            return f"[{', '.join(self._number(depth + 1) for _ in range(rng.randint(0, 3)))}]"
        if kind < 0.8:
            parts = [self._index() if rng.random() < 0.6 else "" for _ in range(rng.choice((2, 2, 3)))]
            return f"{self._list(depth + 1)}[{':'.join(parts)}]"
        if kind < 0.9:
            return f"({self._list(depth + 1)} + {self._list(depth + 1)})"
        return rng.choice((f"sorted({self._list(depth + 1)})", f"({self._list(depth + 1)} * {rng.randint(-1, 3)})"))

    def _index(self) -> str:
        return self._rng.choice(("0", "-1", "1", "2", "a", "i", self._number(2)))

    def _maybe_index(self) -> str:
        return self._rng.choice(("", "0", self._index()))

    def _condition(self, depth: int = 0) -> str:
        rng = self._rng
        kind = rng.random()
        if depth < _MAX_DEPTH and kind < 0.15:
            return f"{self._condition(depth + 1)} {rng.choice(('and', 'or'))} {self._condition(depth + 1)}"
        if kind < 0.22:
            return f"not {rng.choice(('a', 'xs', self._number(2)))}"
        if kind < 0.32:
            return f"{self._number(2)} {rng.choice(('in', 'not in'))} {self._list(2)}"
        if kind < 0.4:
            return (
                f"{self._number(2)} {rng.choice(_COMPARED)} {self._number(2)} {rng.choice(_COMPARED)} {self._number(2)}"
            )
        if kind < 0.44:
            return f"{self._list(1)} {rng.choice(_COMPARED)} {self._list(1)}"
        return f"{self._number(1)} {rng.choice(_COMPARED)} {self._number(1)}"


def draw_arguments(rng: random.Random, parameters: tuple[str, ...]) -> tuple[programs.Value, ...]:
    """Values for parameters, of which those named `xs` and `ys` take lists; now and then one of another kind."""
    return tuple(_value(rng, (name in ("xs", "ys")) is not (rng.random() < 0.02)) for name in parameters)


def _value(rng: random.Random, is_list: bool) -> programs.Value:
    if is_list:
        return [rng.randint(-9, 30) for _ in range(rng.randint(0, 6))]
    return rng.choice((rng.randint(-9, 30), rng.randint(0, 5), rng.randint(-(10**12), 10**12), rng.random() < 0.5))


def changed(rng: random.Random, program: str) -> str:
    """The program with one thing changed: a number, a sign, a name, a line, an indentation or a character."""
    kind = rng.random()
    lines = program.split("\n")
    at = rng.randrange(len(lines))
    if kind < 0.1 and len(lines) > 2:
        return "\n".join(lines[:at] + lines[at + 1 :])
    if kind < 0.18:
        return "\n".join([*lines[:at], rng.choice(("  ", " ", "")) + lines[at].removeprefix("  "), *lines[at + 1 :]])
    if kind < 0.25:
        place = rng.randrange(len(program))
        return program[:place] + rng.choice("()[]:,=+-*x0 \n#.") + program[place + rng.randint(0, 1) :]
    pairs = (
        ("+", "-"),
        ("<", ">"),
        ("<=", "<"),
        ("==", "!="),
        ("a", "b"),
        ("xs", "ys"),
        ("//", "%"),
        ("0", "1"),
        ("r", "x"),
    )
    one, other = rng.choice([pair for pair in pairs if pair[0] in program] or [("e", "r")])
    places = [place for place in range(len(program)) if program.startswith(one, place)]
    place = rng.choice(places or [0])
    return program[:place] + other + program[place + len(one) :]
