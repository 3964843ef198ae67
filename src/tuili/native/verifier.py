"""The verifier in the native library: a logit for each token of a response, computed from the model's states.

Dimensions: T tokens of a response and the token before them, M hidden size, Q = T - 1.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import function
from tuili.native.memory import aligned
from tuili.native.records import ResponseRecord, VerifierLayerRecord, VerifierRecord
from tuili.native.rounding import Floats
from tuili.native.step import NativeModel
from tuili.native.weights import Weights, rotary_angles

ROTARY_BASE_TOKENS = 1000.0
STATE_SCALE = 0.1
"""As in `model/verifier.py`."""


class NativeVerifier:
    """A verifier of a model; its own products are in fp32.

    Args:
        channels, heads, layers: its configuration.
        tensors: float32, by their names in the verifier's file.
    """

    def __init__(
        self, model: NativeModel, channels: int, heads: int, layers: int, tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        self._model, self._head_size = model, channels // heads
        weights = Weights(tensors, "fp32")
        scale_2M = np.full(2 * model.sizes.hidden_size, STATE_SCALE, np.float32)
        if model.sizes.per_layer_kv:  # the step reads the embeddings of imported models unscaled
            scale_2M[model.sizes.hidden_size :] *= model.sizes.hidden_size**0.5
        states = weights.packed(weights.numbers("states.weight") * scale_2M, "fp32")
        self._blocks = (VerifierLayerRecord * layers)(*(_block(weights, f"blocks.{index}") for index in range(layers)))
        self._record = VerifierRecord(
            channels, heads, layers, 0, states,
            *(weights.matrix(f"{name}.weight") for name in ("scalars.0", "scalars.2", "output")),
            weights.keep(weights.numbers("states.bias") * np.float32(STATE_SCALE)),
            *(weights.keep(weights.numbers(f"{name}.bias")) for name in ("scalars.0", "scalars.2", "output")),
            weights.keep(weights.norm("norm.weight")),
            ctypes.addressof(self._blocks),
        )  # fmt: skip
        self._kept, library = weights.kept, model.library
        pointers = [ctypes.c_void_p] * 3
        self._verify = function(library.long, "tuili_verify", None, *pointers)
        self._bytes = function(library.short, "tuili_verify_bytes", ctypes.c_int64, *pointers[1:], ctypes.c_int32)

    def logits(self, trunk_TM: Floats | None, full_TM: Floats, ids: Sequence[int]) -> Floats:
        """The logits [Q] that all up to and including each of the response's tokens `ids` is right.

        `trunk_TM`, `full_TM`: the states after the trunk and at full depth, of the preceding token and of each of
        `ids`. Without trunk states, the full depth's predictions replace the trunk's.
        """
        tokens = len(ids) + 1
        assert len(full_TM) == tokens > 1
        full_TM = np.ascontiguousarray(full_TM, np.float32)
        if trunk_TM is not None:
            assert len(trunk_TM) == tokens
            trunk_TM = np.ascontiguousarray(trunk_TM, np.float32)
        id_T, logit_Q = np.array([0, *ids], np.int32), np.empty(tokens - 1, np.float32)
        angles_TD = rotary_angles(tokens, self._head_size, ROTARY_BASE_TOKENS)
        verifier = ctypes.addressof(self._record)
        workspace = aligned(int(self._bytes(self._model.address, verifier, tokens)), np.uint8)
        response = ResponseRecord(
            full_TM.ctypes.data, None if trunk_TM is None else trunk_TM.ctypes.data,
            *(array.ctypes.data for array in (id_T, angles_TD, logit_Q)),
            tokens, 0, workspace.ctypes.data, workspace.nbytes,
        )  # fmt: skip
        self._verify(self._model.address, verifier, ctypes.addressof(response))
        return logit_Q


def _block(weights: Weights, name: str) -> VerifierLayerRecord:
    return VerifierLayerRecord(
        weights.keep(weights.norm(f"{name}.attention_norm.weight")),
        weights.keep(weights.norm(f"{name}.mlp_norm.weight")),
        *(weights.keep(weights.numbers(f"{name}.{part}.bias")) for part in ("up", "down")),
        *(weights.matrix(f"{name}.{part}.weight") for part in ("query_key_value", "read", "up", "down")),
    )
