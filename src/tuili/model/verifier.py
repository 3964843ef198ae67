"""The verifier: a small network on a frozen language model that judges after each token whether all so far is right.

For every token of a response, the verifier reads the state at full depth, and the probabilities that the full depth
and the trunk gave to the token. `tuili.store` reads and writes its file, `tuili.posttrain` trains it, and the engine
decides what follows from its probabilities.

Dimensions: A rows, T tokens, Q tokens of a response, M hidden size of the language model, V its vocabulary, F features,
C the verifier's channels, H heads, D head size, S scalars, E ends of steps and answers, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuili.model.modeling import TuiliForCausalLM
from tuili.model.rotary import rotary, rotate
from tuili.store import (
    SCALAR_FEATURES,
    Curve,
    VerifierCalibration,
    VerifierConfig,
    VerifierFile,
    read_verifier_file,
    write_verifier_file,
)

MIN_LOG_PROBABILITY, LOG_PROBABILITY_SCALE = -15.0, 3.0
"""Log-probabilities are clamped at the first number and divided by the second."""
ROTARY_BASE_TOKENS = 1000.0
SPANS_TOKENS = (4, 8, 16, None)
"""The numbers of last tokens over which each scalar's minimum is taken; None for all tokens so far."""
STATE_SCALE = 0.1
"""It is small so that the scalars, which say the most, dominate at first."""


def response_features(
    state_ATM: Tensor, logit_ATV: Tensor, trunk_logit_ATV: Tensor | None, id_AT: Tensor, embedding_VM: Tensor
) -> Tensor:
    """The features [A, T, F] of the tokens `id_AT` of responses.

    Args:
        state_ATM: the normed states at full depth, which the head reads, after the model read each token.
        logit_ATV, trunk_logit_ATV: the logits of the full depth and of the trunk that predict each token. Without
            trunk logits, the full depth's take their place.
        embedding_VM: the embeddings of the language model.
    """
    log_ATV = logit_ATV.float().log_softmax(-1)
    trunk_ATV = log_ATV if trunk_logit_ATV is None else trunk_logit_ATV.float().log_softmax(-1)
    place_AT1 = id_AT[..., None]
    full_AT1, trunk_AT1 = log_ATV.gather(-1, place_AT1), trunk_ATV.gather(-1, place_AT1)
    top_AT1, trunk_top_AT1 = log_ATV.amax(-1, keepdim=True), trunk_ATV.amax(-1, keepdim=True)
    entropy_AT1 = -(log_ATV.exp() * log_ATV).sum(-1, keepdim=True)
    scalar_ATS = torch.cat([full_AT1, top_AT1, full_AT1 - top_AT1, trunk_AT1, trunk_AT1 - trunk_top_AT1], dim=-1)
    scale = state_ATM.shape[-1] ** 0.5
    embedded_ATM = F.embedding(id_AT, embedding_VM) * scale
    parts = (
        state_ATM.float(),
        embedded_ATM.float(),
        scalar_ATS.clamp(min=MIN_LOG_PROBABILITY) / LOG_PROBABILITY_SCALE,
        -entropy_AT1,
    )
    return torch.cat(parts, dim=-1)


@torch.inference_mode()
def features_of(model: TuiliForCausalLM, rows: Sequence[tuple[Sequence[int], int]]) -> Tensor:
    """The features [A, Q, F] of responses, read by a language model at full depth. Q is the longest response's length.

    Each row holds the ids of a prompt and its response, and the number of ids that belong to the prompt. The reasoning
    layers run only over the responses and the last token of each prompt.
    """
    longest, longest_response = max(len(ids) for ids, _ in rows), max(len(ids) - prompt for ids, prompt in rows)
    pad, device = model.config.pad_token_id, model.device
    id_AT = torch.tensor([[*ids, *[pad] * (longest - len(ids))] for ids, _ in rows], device=device)
    length_A1 = torch.tensor([[len(ids)] for ids, _ in rows], device=device)
    column_AQ = torch.tensor([[prompt - 1] for _, prompt in rows], device=device)
    column_AQ = column_AQ + torch.arange(longest_response + 1, device=device)
    real_AQ = column_AQ < length_A1
    column_AQ = column_AQ.clamp(max=longest - 1)
    hidden_ATM, shared, frame = model.model.encode(id_AT, (torch.arange(longest, device=device) < length_A1).long())
    frame = frame.at(column_AQ, real_AQ)
    trunk_AQM = hidden_AQM = hidden_ATM.gather(1, column_AQ[..., None].expand(-1, -1, hidden_ATM.shape[-1]))
    for group in model.model.groups():
        hidden_AQM, _ = model.model.reason(hidden_AQM, shared, frame, group)
    state_AQM = model.model.norm(hidden_AQM)
    full_AQV, trunk_AQV = (model.lm_head(x_AQM[:, :-1]) for x_AQM in (state_AQM, model.model.norm(trunk_AQM)))
    embedding_VM = model.model.embed_tokens.weight
    return response_features(state_AQM[:, 1:], full_AQV, trunk_AQV, id_AT.gather(1, column_AQ[:, 1:]), embedding_VM)


class Verifier(nn.Module):
    """Causal self-attention over the tokens of a response, with one logit for each token."""

    def __init__(self, config: VerifierConfig) -> None:
        super().__init__()
        self.config = config
        size = config.channels
        self.dropout = nn.Dropout(config.dropout)
        self.states = nn.Linear(2 * config.state_size, size)
        self.scalars = nn.Sequential(
            nn.Linear(SCALAR_FEATURES * (1 + len(SPANS_TOKENS)), size), nn.GELU(), nn.Linear(size, size)
        )
        self.blocks = nn.ModuleList([_Block(config) for _ in range(config.layers)])
        self.norm = nn.RMSNorm(size)
        self.output = nn.Linear(size, 1)

    def forward(self, feature_ATF: Tensor) -> Tensor:
        """The logits [A, T] that all up to and including each token is right; at `<|end|>`, that the answer is."""
        state_AT2M, scalar_ATS = feature_ATF.split([2 * self.config.state_size, SCALAR_FEATURES], dim=-1)
        hidden_ATC = self.scalars(_least(scalar_ATS)) + STATE_SCALE * self.states(self.dropout(state_AT2M))
        position_1T = torch.arange(feature_ATF.shape[1], device=feature_ATF.device)[None]
        angles = rotary(position_1T, self.config.channels // self.config.heads, ROTARY_BASE_TOKENS)
        cos_1TD, sin_1TD = (part_1TD.to(hidden_ATC.dtype) for part_1TD in angles)
        for block in self.blocks:
            hidden_ATC = block(hidden_ATC, cos_1TD, sin_1TD)
        logit_AT1: Tensor = self.output(self.norm(hidden_ATC))
        return logit_AT1[..., 0]


class _Block(nn.Module):
    def __init__(self, config: VerifierConfig) -> None:
        super().__init__()
        size = config.channels
        self.heads = config.heads
        self.attention_norm, self.mlp_norm = nn.RMSNorm(size), nn.RMSNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size, bias=False)
        self.read = nn.Linear(size, size, bias=False)
        self.up, self.down = nn.Linear(size, 3 * size), nn.Linear(3 * size, size)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, hidden_ATC: Tensor, cos_1TD: Tensor, sin_1TD: Tensor) -> Tensor:
        A, T, C = hidden_ATC.shape
        parts_AT3HD = self.query_key_value(self.attention_norm(hidden_ATC)).view(A, T, 3, self.heads, -1)
        query_AHTD, key_AHTD, value_AHTD = parts_AT3HD.permute(2, 0, 3, 1, 4)
        query_AHTD, key_AHTD = rotate(query_AHTD, cos_1TD, sin_1TD), rotate(key_AHTD, cos_1TD, sin_1TD)
        read_AHTD = F.scaled_dot_product_attention(query_AHTD, key_AHTD, value_AHTD, is_causal=True)
        hidden_ATC = hidden_ATC + self.read(read_AHTD.transpose(1, 2).reshape(A, T, C))
        update_ATC: Tensor = self.down(F.gelu(self.up(self.mlp_norm(hidden_ATC))))
        return hidden_ATC + update_ATC


def _least(scalar_ATS: Tensor) -> Tensor:
    """[A, T, S × (1 + spans)]: each token's scalars, and the minimum of each over the spans that end at the token."""
    scalar_AST = scalar_ATS.transpose(1, 2)
    parts = [scalar_AST]
    for span in SPANS_TOKENS:
        if span is None:
            parts.append(scalar_AST.cummin(-1).values)
        else:
            parts.append(-F.max_pool1d(F.pad(-scalar_AST, (span - 1, 0), value=float("-inf")), span, 1))
    return torch.cat(parts, dim=1).transpose(1, 2)


def probabilities(calibration: VerifierCalibration, logit_E: Tensor, is_answer_E: Tensor) -> Tensor:
    """The probability for each logit at the end of a step or of an answer."""
    return torch.where(is_answer_E, _along(calibration.answer, logit_E), _along(calibration.step, logit_E))


def _along(curve: Curve, logit_E: Tensor) -> Tensor:
    logit_P, chance_P = torch.tensor(curve, device=logit_E.device).T.contiguous()
    right_E = torch.searchsorted(logit_P, logit_E.contiguous()).clamp(1, len(curve) - 1)
    left_E = right_E - 1
    way_E = ((logit_E - logit_P[left_E]) / (logit_P[right_E] - logit_P[left_E])).clamp(0, 1)
    chance_E: Tensor = chance_P[left_E] + way_E * (chance_P[right_E] - chance_P[left_E])
    return chance_E


@dataclass(frozen=True)
class LoadedVerifier:
    """A verifier in evaluation mode, its calibration from logits to probabilities, and its metrics after training."""

    network: Verifier
    calibration: VerifierCalibration
    figures: Mapping[str, float]

    def probabilities(self, logit_E: Tensor, is_answer_E: Tensor) -> Tensor:
        """The probability for each logit at the end of a step or of an answer."""
        return probabilities(self.calibration, logit_E, is_answer_E)

    def judge(self, feature_TF: Tensor) -> tuple[Tensor, Tensor]:
        """The logit and the probability [T] for each token of a whole response.

        The last token ends the answer, so it gets an answer's probability; every other token gets a step's.
        """
        logit_T: Tensor = self.network(feature_TF[None])[0]
        is_answer_T = torch.arange(len(logit_T), device=logit_T.device) == len(logit_T) - 1
        return logit_T, self.probabilities(logit_T, is_answer_T)


def write_verifier(folder: Path, verifier: LoadedVerifier) -> None:
    """Write a verifier into the folder of its language model, atomically."""
    tensors = {name: tensor.numpy(force=True) for name, tensor in verifier.network.state_dict().items()}
    write_verifier_file(folder, VerifierFile(verifier.network.config, verifier.calibration, verifier.figures, tensors))


def read_verifier(folder: Path) -> LoadedVerifier | None:
    """The verifier of a model folder; None if the folder has none.

    Raises `ModelFolderError` if the file is damaged, is no verifier, or belongs to another model.
    """
    stored = read_verifier_file(folder)
    if stored is None:
        return None
    with torch.device("meta"):
        network = Verifier(stored.config)
    tensors = {name: torch.from_numpy(array).clone() for name, array in stored.tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return LoadedVerifier(network.eval(), stored.calibration, stored.figures)
