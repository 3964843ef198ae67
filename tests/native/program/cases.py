"""What the C++ program is asked: products in every format, functions of vectors, the steps of small models, a verifier,
training, and texts.

Dimensions: N outputs, K inputs, R rows, as in `tuili.native.panels`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.native import twins
from tests.native.calling import Products, library
from tests.native.models import SHAPES, Texts, ids, native_model, torch_model
from tests.native.program import attention, text, training
from tests.native.program.golden import Golden
from tuili.model import Verifier
from tuili.native import FORMATS, NativeModel, Sizes, pack, pack_dense
from tuili.native.library import function
from tuili.native.memory import aligned
from tuili.native.records import ResponseRecord, VerifierRecord
from tuili.native.rounding import bf16_of
from tuili.native.slots import Slots
from tuili.native.step import HEADS, Among, Batch
from tuili.native.verifier import ROTARY_BASE_TOKENS, NativeVerifier
from tuili.native.weights import rotary_angles
from tuili.store import (
    DenseShape,
    ExitsSettings,
    VerifierConfig,
    dense_tensor_shapes,
    exit_tensor_shapes,
    rotary_frequencies,
)

SHAPES_NK = [(1, 1), (65, 31), (100, 96), (338, 192)]
LARGE_NK, LARGE_ROWS = (256, 256), 20
"""A product of so many multiplications is shared by threads."""
NEAR = 2e-4
"""By so much may a logit in fp32 differ between two processors."""
ROUNDED_NEAR = 0.1
"""The same where inputs are rounded to 8 bits: an input that lies between two numbers may go to either."""
PROMPTS, STEPS = (33, 17), 4
MOST_THREADS = 3
"""As many as the program tries."""
WIDE = {"intermediate_size": 400, "moe_intermediate_size": 160, "num_experts_per_tok": 4, "head_dim": 32}
"""Large enough that threads share every part of a step."""
MODELS = [
    ("layered", "fp32", "fp32"),
    ("odd", "fp32", "bf16"),
    ("one expert, no convolution", "bf16", "int8"),
    ("heads of 64", "int8", "int8"),
    ("factors", "fp32", "fp32"),
    ("factors", "int8", "bf16"),
    ("dense", "int8", "fp32"),
    ("wide", "fp32", "fp32"),
    ("wide", "int4", "bf16"),
]


def products(golden: Golden) -> None:
    """Products of rows in other orders than they stand, beside a row alone."""
    draw, run = np.random.default_rng(1), Products()
    for number_format, foreign in [*((name, False) for name in FORMATS), ("int8", True), ("int4", True)]:
        for shape_NK in [*SHAPES_NK, LARGE_NK]:
            name = f"{number_format}{'/foreign' * foreign}/{shape_NK[0]}x{shape_NK[1]}"
            rows = LARGE_ROWS if shape_NK == LARGE_NK else 7
            weight_NK = draw.normal(size=shape_NK).astype(np.float32)
            x_RK = draw.normal(size=(rows, shape_NK[1])).astype(np.float32)
            matrix, order = pack(weight_NK, number_format, foreign=foreign), draw.permutation(rows).astype(np.int32)
            every_RN, one_RN = (np.full((count, shape_NK[0]), np.nan, np.float32) for count in (rows, 1))
            calls = [
                (run.prepare(matrix, x_RK, order, order[::-1].copy(), every_RN, rows), every_RN),
                (run.prepare(matrix, x_RK, order[:1], None, one_RN, 1), one_RN),
            ]
            for (call, alive), y_RN in calls:
                golden.add(call, alive, matrix, y_RN)
                golden.call("product", ctypes.addressof(call))
            wanted_RN = twins.product(weight_NK, x_RK, matrix.format, matrix.mixing)
            placed_RN = np.empty_like(wanted_RN)
            placed_RN[order[::-1]] = wanted_RN[order]
            error = 0.0 if matrix.format == "int8" else 2e-6 * np.abs(wanted_RN).max() * shape_NK[1] ** 0.5
            golden.expect(name, every_RN, placed_RN, error)
            golden.same(f"{name}/alone", one_RN[0], every_RN[order[-1]])
    run.end()


def vectors(golden: Golden) -> None:
    """The functions of vector.h."""
    draw = np.random.default_rng(2)
    odd = np.array(
        [0, -0.0, np.nan, np.inf, -np.inf, 1e30, -1e30, 88.7, 88.8, -87.5, -103, -104.5, 0.5, 1.5, 2.5, -2.5]
    )
    x = np.concatenate([odd, draw.uniform(-100, 88, 301), draw.normal(size=200)]).astype(np.float32)
    tame, wide = draw.uniform(-120, 120, 128).astype(np.float32), x.astype(np.float64)
    brains = np.arange(1 << 16, dtype=np.uint16)
    halves = brains[np.isfinite(brains.view(np.float16))]
    with np.errstate(all="ignore"):
        asked = [
            ("exp", x, np.exp(wide), 2e-45, 2.4e-7),
            ("silu", x[5:], (wide / (1 + np.exp(-wide)))[5:], 1e-36, 6e-7),
            ("nearest", tame, np.rint(tame), 0, 0),
            ("rounded", tame, np.rint(tame), 0, 0),
            ("absolute", x, np.abs(x), 0, 0),
            ("sum", tame, tame.reshape(-1, 16).sum(axis=1), 1e-4, 0),
            ("largest", tame, tame.reshape(-1, 16).max(axis=1), 0, 0),
            ("at_least_one", x, np.where(x < 1, 1, x), 0, 0),
            ("at_most_one", x, np.where(x > 1, 1, x), 0, 0),
            ("arithmetic", tame, np.ones_like(tame), 0, 3e-7),
            ("from_bf16", brains, (brains.astype(np.uint32) << 16).view(np.float32), 0, 0),
            ("one_from_bf16", brains, (brains.astype(np.uint32) << 16).view(np.float32), 0, 0),
            ("from_fp16", halves, halves.view(np.float16).astype(np.float32), 0, 0),
            ("from_int8", np.arange(-128, 128, dtype=np.int8), np.arange(-128, 128, dtype=np.float32), 0, 0),
            ("to_int8", tame, np.rint(tame).astype(np.int8), 0, 0),
            ("to_bf16", tame, bf16_of(tame), 0, 0),
            ("one_to_bf16", tame, bf16_of(tame), 0, 0),
        ]
    for name, from_, wanted, error, proportion in asked:
        y = np.zeros(wanted.shape, wanted.dtype if wanted.dtype != np.float64 else np.float32)
        golden.vector(name, from_, y)
        golden.expect(name, y, wanted, error, proportion)


class Recorder:
    """A model whose calls are written down as they are made, and what they gave as what they must give.

    On this processor, `test_step.py` holds that against torch.
    """

    def __init__(self, golden: Golden, name: str, model: NativeModel, error: float) -> None:
        self.sizes = model.sizes
        self._golden, self._name, self._model, self._error = golden, name, model, error

    def slots(self, count: int) -> Slots:
        return self._model.slots(count)

    def batch(self, rows: int) -> Batch:
        return self._model.batch(rows)

    def trunk(self, slots: Slots, batch: Batch, count: int) -> None:
        self._golden.add(self._model, slots, batch)
        self._golden.set(batch.table)
        self._golden.call("trunk", batch.address, slots.address, count)
        self._model.trunk(slots, batch, count)

    def group(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        self._golden.set(batch.going)
        self._golden.call("group", batch.address, slots.address, index, count)
        self._model.group(slots, batch, index, count)

    def exit(self, batch: Batch, count: int, among: Among = "all") -> None:
        self._golden.set(batch.going)
        self._golden.call("exit", batch.address, count, HEADS.index(among))
        self._model.exit(batch, count, among)
        for row in batch.going[:count]:
            self._golden.expect(f"{self._name}/logits", batch.logits[row], batch.logits[row], self._error)
        self._expect_chances(batch, count)

    def confidence(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        self._golden.set(batch.going)
        self._golden.call("confidence", batch.address, slots.address, index, count)
        self._model.confidence(slots, batch, index, count)
        self._expect_chances(batch, count)

    def leave(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        self._golden.set(batch.going)
        self._golden.call("leave", batch.address, slots.address, index, count)
        self._model.leave(slots, batch, index, count)

    def _expect_chances(self, batch: Batch, count: int) -> None:
        for row in batch.going[:count]:
            chance = batch.top_prob[row, None]
            self._golden.expect(f"{self._name}/top_prob", chance, chance, self._error)


def steps(golden: Golden) -> None:
    """Two prompts at once, then tokens of both, of which one leaves early; and the largest logit of what they left."""
    for shape, numbers, cache in MODELS:
        torch = torch_model(**(WIDE if shape == "wide" else SHAPES[shape]))
        native = native_model(torch, numbers, cache, threads=MOST_THREADS)
        name = f"{shape}/{numbers}/{cache}".replace(" ", "_")
        exact = numbers == cache == "fp32"
        texts = Texts(
            Recorder(golden, name, native, NEAR if exact else ROUNDED_NEAR), torch.config.shape, 2, sum(PROMPTS)
        )
        for slot, length in enumerate(PROMPTS):
            texts.slots.reserve(slot, length + STEPS, length + STEPS)  # memory that is written down must not move
        texts.read([(slot, ids(slot, length)) for slot, length in enumerate(PROMPTS)])
        for step in range(STEPS):
            texts.read([(slot, ids(step, 1)) for slot in (1, 0)], depth=step % 2)
        if exact:
            golden.expect(f"{name}/experts", native.counters.expert_tokens, native.counters.expert_tokens)
            golden.expect(f"{name}/tokens", native.counters.tokens, native.counters.tokens)


def decoders(golden: Golden) -> None:
    """The same of a dense decoder, whose tokens leave, and think."""
    exits = ExitsSettings((1, 2, 4), 0.5, rank=5, channels=7)
    shape = DenseShape(
        "qwen3", 150, 64, 400, 4, 4, 2, 32, 256, 1e4, 1e-6,
        query_bias=True, output_bias=True, mlp_bias=True, head_norms=True, exit_layers=exits.layers,
    )  # fmt: skip
    draw = np.random.default_rng(4)

    def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        return {
            name: (draw.normal(size=sizes) * sizes[-1] ** -0.5 + ("norm" in name)).astype(np.float32)
            for name, sizes in shapes.items()
        }

    tensors, learnt = drawn(dense_tensor_shapes(shape)), drawn(exit_tensor_shapes(exits, shape.hidden_size))
    some = np.arange(1, 150, 2, dtype=np.int32), np.arange(3, 150, 4, dtype=np.int32)
    pack = pack_dense(*rotary_frequencies(shape), learnt, *some)
    for numbers, cache in (("fp32", "fp32"), ("int8", "int8"), ("int4", "bf16")):
        native = NativeModel(library(), Sizes.of(shape), tensors, numbers, cache, MOST_THREADS, pack)
        error = NEAR if numbers == "fp32" else ROUNDED_NEAR
        model = Recorder(golden, f"decoder/{numbers}/{cache}", native, error)
        texts = Texts(model, shape, 2, sum(PROMPTS))
        for slot, length in enumerate(PROMPTS):
            texts.slots.reserve(slot, length + STEPS, 2)
        texts.read([(slot, ids(slot, length)) for slot, length in enumerate(PROMPTS)])
        for step in range(STEPS):
            texts.write(0, 1, 20 + step), texts.write(1, 0, 30 + step)
            texts.batch.going[:2] = [0, 1]
            model.trunk(texts.slots, texts.batch, 2)
            model.confidence(texts.slots, texts.batch, 0, 2)
            texts.batch.going[:2] = [step % 2, 1 - step % 2]
            model.leave(texts.slots, texts.batch, 0, 1)
            texts.batch.going[0] = 1 - step % 2
            model.group(texts.slots, texts.batch, 0, 1)
            model.leave(texts.slots, texts.batch, 1, 1)
            texts.batch.going[:2] = [0, 1]
            model.exit(texts.batch, 2)
            model.exit(texts.batch, 2, "thinking")


def verifier(golden: Golden) -> None:
    """A verifier's judgement of made-up states."""
    native, draw = native_model(torch_model(), threads=MOST_THREADS), np.random.default_rng(3)
    channels, heads, layers, tokens = 20, 2, 2, 24
    config = VerifierConfig(native.sizes.hidden_size, channels, layers=layers, heads=heads)
    tensors = {
        name: (draw.normal(size=tensor.shape) * 0.3 + ("norm" in name)).astype(np.float32)
        for name, tensor in Verifier(config).state_dict().items()
    }
    judge = NativeVerifier(native, channels, heads, layers, tensors)
    full_TM, trunk_TM = draw.normal(size=(2, tokens, native.sizes.hidden_size)).astype(np.float32)
    id_T = np.array(ids(5, tokens), np.int32)
    wanted_Q = judge.logits(trunk_TM, full_TM, id_T[1:].tolist())

    golden.add(native, judge)
    address = golden.address_of(VerifierRecord)
    needed = function(
        native.library.short, "tuili_verify_bytes", ctypes.c_int64, *[ctypes.c_void_p] * 2, ctypes.c_int32
    )
    workspace = aligned(needed(native.address, address, tokens), np.uint8)
    angles_TD, logit_Q = rotary_angles(tokens, channels // heads, ROTARY_BASE_TOKENS), np.zeros_like(wanted_Q)
    arrays = [full_TM, trunk_TM, id_T, angles_TD, logit_Q]
    response = ResponseRecord(
        *(array.ctypes.data for array in arrays), tokens, 0, workspace.ctypes.data, workspace.nbytes
    )
    golden.add(response, workspace, arrays)
    golden.call("verify", native.address, address, ctypes.addressof(response))
    golden.expect("verifier", logit_Q, wanted_Q, NEAR)


def write(path: Path) -> None:
    """Write the golden file of all cases."""
    golden = Golden()
    for case in (
        products,
        vectors,
        steps,
        decoders,
        verifier,
        training.experts,
        training.route,
        training.chains,
        training.gradients,
        attention.attention,
        text.text,
    ):
        case(golden)
    golden.write(path)
