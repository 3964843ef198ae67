"""What the C++ program is asked of layered attention in training: documents and padding, queries in any order.

Dimensions: B rows, Q queries, S tokens, H query heads, K key/value heads, D head size.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.native.program.golden import Golden
from tests.native.program.training import both_ways, places
from tuili.native.attention import AttentionCallRecord, AttentionTensorsRecord, HeadTensorRecord
from tuili.native.rounding import bf16_of

LENGTHS, PADDING = (1, 33, 70), 4
WINDOW, TOP_UNITS, UNIT_TOKENS = 6, 3, 5
HEADS, KV_HEADS, SIZE = 6, 2, 10
QUERIES = 90
SILENT = 7
"""Every so many queries, one reads nothing."""
INPUTS = {"query": (HEADS, SIZE), "gate": (HEADS, 3), "key": (KV_HEADS, SIZE), "value": (KV_HEADS, SIZE)}


def attention(golden: Golden) -> None:
    for bf16 in (False, True):
        draw = np.random.default_rng(7)
        made = reach(draw)
        tokens = made["unit"].size
        shapes = {name: (1, tokens if shape[0] == KV_HEADS else QUERIES, *shape) for name, shape in INPUTS.items()}
        given = {**shapes, "d_read": shapes["query"]}
        made |= {name: draw.normal(size=shape).astype(np.float32) for name, shape in given.items()}
        made |= {name: bf16_of(made[name]) for name in given if bf16}
        results = {"read": shapes["query"], **{f"d_{name}": shape for name, shape in shapes.items()}}
        made |= {name: np.zeros(shape, np.uint16 if bf16 else np.float32) for name, shape in results.items()}
        made["sums"] = np.zeros((1, QUERIES, HEADS, 4), np.float32)
        record = AttentionCallRecord(
            **{f"{of}s": tensors(made, prefix) for of, prefix in (("tensor", ""), ("gradient", "d_"))},
            **places({name: made[name] for name in ("sums", "order", "column", "start", "unit")}),
            rows=1, queries=QUERIES, tokens=tokens, heads=HEADS, kv_heads=KV_HEADS, head_size=SIZE,
            window=WINDOW, top_units=TOP_UNITS, bf16=bf16,
        )  # fmt: skip
        both_ways(golden, "attention", record, made, {*results}, 1e-5)


def reach(draw: np.random.Generator) -> dict[str, np.ndarray]:
    """Where documents and units lie, and whose tokens ask."""
    real = sum(LENGTHS)
    start_S, unit_S = np.zeros(real + PADDING, np.int32), np.full(real + PADDING, -1, np.int32)
    for begin, end in pairwise(np.cumsum([0, *LENGTHS])):
        own = np.maximum(np.arange(end - begin) + UNIT_TOKENS - 1, 0) // UNIT_TOKENS
        start_S[begin:end], unit_S[begin:end] = begin, own + unit_S.max() + 1
    column_Q = draw.permutation(real + PADDING).astype(np.int32)[:QUERIES]
    order = [query for query in np.argsort(column_Q) if column_Q[query] < real and query % SILENT]
    order_Q = np.array([*order, *(-1 - query for query in range(QUERIES) if query not in order)], np.int32)
    return {"start": start_S, "unit": unit_S, "column": column_Q, "order": order_Q}


def tensors(made: dict[str, np.ndarray], prefix: str) -> AttentionTensorsRecord:
    arrays = (made[prefix + name] for name in (*INPUTS, "read"))
    return AttentionTensorsRecord(
        *(HeadTensorRecord(array.ctypes.data, *(s // array.itemsize for s in array.strides[:3])) for array in arrays)
    )
