"""The verifier of a model's folder in the native library: logits, and the probabilities that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.native import NativeModel, NativeVerifier
from tuili.store import VerifierFile


class StoredVerifier:
    """Judges responses by a verifier that was read from its file."""

    def __init__(self, model: NativeModel, stored: VerifierFile) -> None:
        config, self._calibration = stored.config, stored.calibration
        self._network = NativeVerifier(model, config.channels, config.heads, config.layers, stored.tensors)

    def judge(
        self, trunk_TM: NDArray[np.float32], full_TM: NDArray[np.float32], ids: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        """The logit and the probability for each token of a whole response; T counts the token before it as well.

        The last token ends an answer, so that its probability is an answer's; every other one has that of a step.
        """
        logits = self._network.logits(trunk_TM, full_TM, ids).tolist()
        steps = np.interp(logits[:-1], *zip(*self._calibration.step, strict=True))
        answer = np.interp(logits[-1:], *zip(*self._calibration.answer, strict=True))
        return logits, [*steps.tolist(), *answer.tolist()]
