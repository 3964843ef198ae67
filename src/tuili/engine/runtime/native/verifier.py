"""The verifier from a model's folder in the native library: logits, and the probabilities that they correspond to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.native import NativeModel, NativeVerifier
from tuili.store import Curve, VerifierFile


class StoredVerifier:
    """Judges responses with a verifier that was read from its file."""

    def __init__(self, model: NativeModel, stored: VerifierFile) -> None:
        config, self._calibration = stored.config, stored.calibration
        self._network = NativeVerifier(model, config.channels, config.heads, config.layers, stored.tensors)

    def judge(
        self, trunk_TM: NDArray[np.float32] | None, full_TM: NDArray[np.float32], ids: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        """The logit and the probability for each token of a whole response. T also counts the token before it.

        The last token ends an answer, so its probability is that of the answer; each other one is that of a step.
        """
        logits = self._network.logits(trunk_TM, full_TM, ids).tolist()
        return logits, _along(self._calibration.step, logits[:-1]) + _along(self._calibration.answer, logits[-1:])


def _along(curve: Curve, logits: list[float]) -> list[float]:
    logit_P, chance_P = np.array(curve).T
    chances: list[float] = np.interp(logits, logit_P, chance_P).tolist()
    return chances
