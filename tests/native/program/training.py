"""What the C++ program is asked of training: products in their three forms, layers of experts, routers.

Dimensions: R rows, N outputs, K inputs; of the others those of their structures.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from tests.native.calling import multiply
from tests.native.program.golden import Golden
from tests.native.twins import as_bf16
from tuili.native import Unavailable, training
from tuili.native.memory import aligned
from tuili.native.panels import bf16_of
from tuili.native.training import ExpertsRecord, RouteRecord

Shapes = Mapping[str, tuple[int, ...]]
SHAPES_RNK = [(1, 1, 2), (33, 70, 98)]
TOKENS, CHOICES, EXPERTS, HIDDEN, SIZE = 410, 2, 3, 36, 20
"""So many that an expert has more than one tile."""
MOST_THREADS = 3
"""As many as the program tries."""
ANY = 1 << 16
"""The error of bf16 numbers that are held against those of other threads alone, as fp32 ones are checked."""


def products(golden: Golden) -> None:
    draw = np.random.default_rng(4)
    for shape_RNK, form, bf16, gathered in product(SHAPES_RNK, range(3), (False, True), (False, True)):
        R, N, K = shape_RNK
        left = draw.normal(size=(K, R) if form == 2 else (R, K)).astype(np.float32)
        right = draw.normal(size=(N, K) if form == 0 else (K, N)).astype(np.float32)
        if bf16:
            left, right = as_bf16(left), as_bf16(right)
        rows = draw.permutation(len(left)).astype(np.int32) if gathered else np.arange(len(left), dtype=np.int32)
        a, b = (x.astype(np.float64) for x in (left[rows], right[rows] if form == 2 else right))
        wanted = (a.T if form == 2 else a) @ (b.T if form == 0 else b)
        operands = (bf16_of(left), bf16_of(right)) if bf16 else (left, right)
        out = np.zeros(wanted.shape, np.float32)
        call, alive = multiply(form, *operands, out, rows if gathered else None)
        out.fill(np.nan)
        golden.add(call, alive)
        golden.call("multiply", ctypes.addressof(call))
        name = f"multiply/{'bf16' if bf16 else 'fp32'}/{form}/{R}x{N}x{K}"
        golden.expect(name, out, wanted, 2e-6 * np.abs(wanted).max() * K**0.5)


def experts(golden: Golden) -> None:
    """A layer of experts of which one is idle."""
    draw = np.random.default_rng(5)
    expert = draw.permuted(np.tile(np.arange(2), (TOKENS, 1)), axis=1).astype(np.int64)
    given = {
        "x": (TOKENS, HIDDEN), "weight": (TOKENS, CHOICES), "dout": (TOKENS, HIDDEN),
        "gate_up": (EXPERTS, 2 * SIZE, HIDDEN), "down": (EXPERTS, HIDDEN, SIZE),
    }  # fmt: skip
    pairs = TOKENS * CHOICES
    results = {"out": given["x"], "gate_up_sorted": (pairs, 2 * SIZE), "dx": given["x"], "dweight": given["weight"]}
    wide = {"dgate_up": given["gate_up"], "ddown": given["down"]}
    for bf16 in (False, True):
        made = arrays(draw, bf16, given, results, wide, in_bf16=("x", "weight", "dout"))
        made |= {"expert": expert, "sorting": np.zeros(EXPERTS + 1 + 2 * pairs, np.int32)}
        record = ExpertsRecord(
            **places(made), tokens=TOKENS, choices=CHOICES, experts=EXPERTS, hidden=HIDDEN, size=SIZE, bf16=bf16
        )
        both_ways(golden, "experts", record, made, {*results, *wide, "sorting"}, 3e-2 if bf16 else 1e-5)


def route(golden: Golden) -> None:
    """A router with a forbidden expert and tokens that explore."""
    draw = np.random.default_rng(6)
    given = {
        "x": (TOKENS, HIDDEN), "matrix": (EXPERTS, HIDDEN), "bias": (EXPERTS,), "random": (TOKENS, EXPERTS),
        "dlogits": (TOKENS, EXPERTS), "dweight": (TOKENS, CHOICES),
    }  # fmt: skip
    results, wide = (
        {"weight": given["dweight"], "dx": given["x"]},
        {"logits": given["random"], "dmatrix": given["matrix"]},
    )
    for bf16 in (False, True):
        made = arrays(draw, bf16, given, results, wide, in_bf16=("x", "dweight"))
        made |= {
            "expert": np.zeros((TOKENS, CHOICES), np.int64),
            "allowed": np.array([1] * (EXPERTS - 1) + [0], np.uint8),
            "explores": (draw.random(TOKENS) < 0.3).astype(np.uint8),
        }
        record = RouteRecord(**places(made), tokens=TOKENS, choices=CHOICES, experts=EXPERTS, hidden=HIDDEN, bf16=bf16)
        both_ways(golden, "route", record, made, {*results, *wide, "expert"}, 1e-5)


def arrays(
    draw: np.random.Generator, bf16: bool, given: Shapes, results: Shapes, wide: Shapes, in_bf16: Sequence[str]
) -> dict[str, np.ndarray]:
    """What goes in, some of it bf16 where the call is; zeros for results, of which those that are wide are fp32."""
    made = {name: draw.normal(size=shape).astype(np.float32) * 0.3 for name, shape in given.items()}
    made |= {name: bf16_of(made[name]) for name in in_bf16 if bf16}
    made |= {name: np.zeros(shape, np.uint16 if bf16 else np.float32) for name, shape in results.items()}
    return made | {name: np.zeros(shape, np.float32) for name, shape in wide.items()}


def places(made: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: array.ctypes.data for name, array in made.items()}


def both_ways(
    golden: Golden,
    name: str,
    record: ExpertsRecord | RouteRecord,
    made: dict[str, np.ndarray],
    results: set[str],
    near: float,
) -> None:
    """A call forward and backward; what it must give is what it gives here."""
    library = training(MOST_THREADS)
    assert not isinstance(library, Unavailable), library.reason
    for backward in (False, True):
        library.run(name, record, backward=backward)
    workspace = aligned(library.workspace_bytes(name, record), np.uint8)
    record.workspace, record.workspace_bytes = workspace.ctypes.data, workspace.nbytes
    wanted = {result: made[result].copy() for result in sorted(results)}
    for result in results:
        made[result].fill(0)
    golden.add(record, made, workspace)
    for direction in ("forward", "backward"):
        golden.call(f"{name}_{direction}", ctypes.addressof(record))
    for result, numbers in wanted.items():
        size = float(np.abs(numbers).max()) if numbers.dtype == np.float32 else 0.0
        error = ANY if numbers.dtype == np.uint16 else near * size
        golden.expect(f"{name}/{record.bf16}/{result}", made[result], numbers, error)
