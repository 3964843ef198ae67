"""What the C++ program is asked of training: layers of experts, routers, chains of small operations, gradients.

Dimensions: R rows, N outputs, K inputs; of the others those of their structures.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tests.native.program.golden import Golden
from tests.native.training import codec_twin
from tuili.native import Unavailable, training
from tuili.native.codec import CodecRecord
from tuili.native.memory import aligned
from tuili.native.rounding import bf16_of
from tuili.native.training import Chain, ExpertsRecord, RouteRecord, RowsRecord

Shapes = Mapping[str, tuple[int, ...]]
TOKENS, CHOICES, EXPERTS, HIDDEN, SIZE = 410, 2, 3, 36, 20
"""So many that an expert has more than one tile."""
MOST_THREADS = 3
"""As many as the program tries."""
ANY = 1 << 16
"""The error of bf16 numbers that are held against those of other threads alone, as fp32 ones are checked."""


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
            "real": (draw.random(TOKENS) < 0.8).astype(np.uint8),
            "load": np.zeros(EXPERTS, np.int64),
        }
        record = RouteRecord(**places(made), tokens=TOKENS, choices=CHOICES, experts=EXPERTS, hidden=HIDDEN, bf16=bf16)
        both_ways(golden, "route", record, made, {*results, *wide, "expert", "load"}, 1e-5)


def chains(golden: Golden) -> None:
    """Norms of heads that are turned, gated units, losses and a convolution, over three pieces of rows."""
    library, rows, heads = training(MOST_THREADS), 130, 2
    assert not isinstance(library, Unavailable), library.reason
    gains: dict[Chain, Shapes] = {
        Chain.NORM: {"gain": (20,), "cos": (rows // heads, 20), "sin": (rows // heads, 20)},
        Chain.CONVOLUTION: {"gain": (heads, 18)},
    }
    for bf16 in (False, True):
        draw = np.random.default_rng(8)
        for chain, size in {Chain.NORM: 20, Chain.GATE: 22, Chain.LOSS: 37, Chain.CONVOLUTION: 18}.items():
            x = (rows, 2 * size if chain is Chain.GATE else size)
            given = {"x": x, "dout": (rows, size), **gains.get(chain, {})}
            results, narrow = {"out": (rows, size), "dx": x}, bf16 and chain is not Chain.CONVOLUTION
            made = arrays(draw, narrow, given, results, {"sums": (rows, 3)}, in_bf16=("x", "dout"))
            made["target"] = np.arange(rows) % 4
            shared = {name: made[name] for name in made if name not in ("dout", "out", "dx")}
            settings = {"number": 0.5, "rows": rows, "size": size, "heads": heads, "bf16": narrow, "out_bf16": narrow}
            ways = [("out",), ("dx",) if chain is Chain.LOSS else ("dout", "dx")]
            records = [RowsRecord(**places(shared | {name: made[name] for name in way}), **settings) for way in ways]
            for record in records:
                library.run_rows(record, chain)
            wanted = {name: made[name].copy() for name in ("out", "dx", "sums")}
            for name in wanted:
                made[name].fill(0)
            golden.add(records, made)
            golden.set(made["sums"])
            for record in records:
                golden.call("rows", ctypes.addressof(record), chain.value)
            for name, numbers in wanted.items():
                error = ANY if numbers.dtype == np.uint16 else (3e-2 if narrow else 1e-5) * float(np.abs(numbers).max())
                golden.expect(f"{chain.name}/{narrow}/{name}", made[name], numbers, error)


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
    for added in sorted({"dx", "load"} & results):  # to which a call may add
        golden.set(made[added])
    for direction in ("forward", "backward"):
        golden.call(f"{name}_{direction}", ctypes.addressof(record))
    for result, numbers in wanted.items():
        size = float(np.abs(numbers).max()) if numbers.dtype == np.float32 else 0.0
        error = ANY if numbers.dtype == np.uint16 else near * size
        golden.expect(f"{name}/{record.bf16}/{result}", made[result], numbers, error)


def gradients(golden: Golden) -> None:
    """Gradients to messages and back, of whole blocks and of one that is not."""
    draw, library = np.random.default_rng(8), training(MOST_THREADS)
    assert not isinstance(library, Unavailable), library.reason
    for bits, rotated in itertools.product((2, 3, 4, 8), (False, True)):
        name, seed = f"gradients/{bits}{'/rotated' * rotated}", 9 if rotated else None
        number_N, error_N = draw.normal(size=(2, 3 * codec_twin.BLOCK + 77)).astype(np.float32)
        number_N[300] = np.nan
        data, after_N = codec_twin.encode(number_N, bits, seed, error_N, 0.75, 0.9)
        message, sum_N = np.zeros(len(data), np.uint8), error_N.copy()
        sizes = {"count": number_N.size, "bytes": message.size, "threads": library.pool}
        encode = CodecRecord(
            number_N.ctypes.data, error_N.ctypes.data, message.ctypes.data,
            **sizes, keep=0.75, clip=0.9, seed=seed or 0, bits=bits, rotated=rotated,
        )  # fmt: skip
        decode = CodecRecord(sum_N.ctypes.data, None, message.ctypes.data, **sizes, weight=0.5, add=True)
        golden.add(encode, decode, number_N, error_N, message, sum_N)
        wanted_N = sum_N + codec_twin.decode(data, 0.5)
        golden.call("encode", ctypes.addressof(encode))
        golden.call("decode", ctypes.addressof(decode))
        golden.expect(f"{name}/message", message, np.frombuffer(data, np.uint8))
        golden.expect(f"{name}/errors", error_N, after_N)
        golden.expect(f"{name}/sums", sum_N, wanted_N)
