"""The torch runner: runs sequences through a model, one batch a step.

Decoding sequences stand in the first slots of the cache, side by side, and the one that is being prefilled behind them,
so that a step reads adjacent memory. Which sequence runs, and for how long, is left to the scheduler.

Dimensions: A sequences, T tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import groupby

import torch
from torch import Tensor

from tuili.engine.runtime.runner import Observation, PrefillOutput, StepOutput, StepPolicy
from tuili.engine.runtime.torch.attention_metadata import AttentionMetadata, CachedKeyValues
from tuili.engine.runtime.torch.early_exit import run_to_exits
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.logit_bias import LogitBiases
from tuili.engine.runtime.torch.prefix_cache import PrefixCache
from tuili.engine.runtime.torch.probe import observe
from tuili.engine.runtime.torch.sampler import Sampler, logprobs
from tuili.engine.runtime.torch.scoring import PromptScoring
from tuili.engine.runtime.torch.speculative import SpeculativeDecoder
from tuili.engine.runtime.torch.verifier_pass import VerifierPass
from tuili.engine.sequence import Sequence
from tuili.model import LoadedVerifier


class TorchModelRunner:
    """A `ModelRunner` for torch.

    Args:
        end_id: the token that ends a response.
        slots: sequences that are decoded together.
        prefix_cache: keeps prompts for others that begin alike.
        verifier: reads responses that are started with `verify_from`.
        clock: the time in seconds, for measuring groups of layers.
    """

    def __init__(
        self,
        model: LeanModel,
        end_id: int,
        *,
        slots: int = 16,
        prefix_cache: PrefixCache,
        verifier: LoadedVerifier | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        config = model.config
        self.slots, self.end_id, self.verifies = slots, end_id, verifier is not None
        self.context, self.exits = config.max_position_embeddings, config.exit_layers
        self.exit_threshold, self.runtime = config.exit_threshold, model.runtime
        self._model, self._verifier, self._clock = model, verifier, clock
        self._cache = KVCache(config, slots, model.embedding_VM.dtype, model.embedding_VM.device)
        self._prefixes = prefix_cache
        self._sampler, self._biases = Sampler(), LogitBiases(self._cache.device)
        self._drafts = SpeculativeDecoder(model, self._cache, end_id, self._biases)
        self._decoding: list[Sequence] = []
        """The sequence in each slot, from the first on."""
        self._prefilling: Sequence | None = None
        """The sequence in the slot behind those of `_decoding`."""
        self._reading: VerifierPass | PromptScoring | None = None
        """How `_prefilling` is read at full depth; None where it is to be continued."""

    @torch.inference_mode()
    def start(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        assert self._prefilling is None
        assert len(self._decoding) < self.slots
        cached = self._prefixes.load(self._cache, len(self._decoding), sequence.prompt[: sequence.read_from])
        self._prefilling, self._reading = sequence, None
        self._biases.hold(sequence)
        if sequence.verify_from is not None and self._verifier is not None:
            self._reading = VerifierPass(self._model, self._verifier, sequence)
        elif sequence.score_from is not None:
            self._reading = PromptScoring(self._model, sequence)
        return cached

    @torch.inference_mode()
    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        assert sequence is self._prefilling
        slot = len(self._decoding)
        id_1T = torch.tensor([tokens], device=self._cache.device)
        hidden_1TM, kv, metadata = self._model.trunk(self._cache, slice(slot, slot + 1), id_1T)
        whole = self._cache.length[slot] == len(sequence.prompt)
        if whole and sequence.verify_from is None:
            self._prefixes.save(self._cache, slot, sequence.prompt)
        if self._reading is not None:
            return self._read(self._reading, slot, hidden_1TM, whole)
        output = PrefillOutput()
        if whole:
            self._prefilling = None
            self._decoding.append(sequence)
            output = PrefillOutput(first=self._exit([sequence], hidden_1TM[:, -1:], kv, metadata.last(), policy)[0])
        self._synchronize(policy)
        return output

    def _read(self, reading: VerifierPass | PromptScoring, slot: int, hidden_1TM: Tensor, whole: bool) -> PrefillOutput:
        """Take a piece that the trunk has read to the full depth, as far as that is needed."""
        length, layer_steps = hidden_1TM.shape[1], 0
        if tokens := reading.full_depth_tokens(self._cache.length[slot] - length, length):
            layer_steps = reading.read(self._cache, slot, hidden_1TM, tokens)
        return reading.output(layer_steps, whole)

    @torch.inference_mode()
    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        sequences = list(self._decoding)
        id_A1 = torch.tensor([[self._drafts.last_token(each)] for each in sequences], device=self._cache.device)
        hidden_A1M, kv, metadata = self._model.trunk(self._cache, slice(0, len(sequences)), id_A1)
        self._synchronize(policy)
        exact = [place for place, sequence in enumerate(sequences) if sequence.depth == "exact"]
        others = [place for place, sequence in enumerate(sequences) if sequence.depth != "exact"]
        if exact and others:
            rows_N = torch.tensor(others, device=self._cache.device)
            kv, metadata = kv.some(rows_N), metadata.some(rows_N)
        outputs = []
        if others:
            outputs += self._exit([sequences[place] for place in others], hidden_A1M[others], kv, metadata, policy)
        if exact:
            outputs += self._draft([sequences[place] for place in exact], hidden_A1M[exact], policy)
        return sorted(outputs, key=lambda output: sequences.index(output.sequence))

    def _exit(
        self,
        sequences: list[Sequence],
        hidden_A1M: Tensor,
        kv: CachedKeyValues,
        metadata: AttentionMetadata,
        policy: StepPolicy,
    ) -> list[StepOutput]:
        """Sample the next token of each sequence, at the exit where it leaves."""

        def clock() -> float:
            self._synchronize(policy)
            return self._clock()

        exits = run_to_exits(self._model, sequences, hidden_A1M, kv, metadata, policy, self._biases, clock)
        tokens = self._sampler.draw(self._biases.add_to(exits.logits_AV, sequences), sequences)
        return [
            StepOutput(
                sequence,
                [tokens[row]],
                [exits.depths[row]],
                [exits.top_probs[row]],
                exits.depths[row],
                logprobs(exits.logits_AV, slice(row, row + 1), [tokens[row]], sequence.sampling),
                exits.limited[row],
            )
            for row, sequence in enumerate(sequences)
        ]

    def _draft(self, sequences: list[Sequence], hidden_A1M: Tensor, policy: StepPolicy) -> list[StepOutput]:
        """Draft the next token of each sequence, and verify all drafts when that is due."""
        full_depth, outputs = self.exits[-1], list[StepOutput]()
        max_tokens = [sequence.tokens_left(self.context, full_depth) for sequence in sequences]
        if not self._drafts.draft(hidden_A1M, sequences, max_tokens):
            return outputs
        runs = groupby(enumerate(self._decoding), key=lambda pair: self._drafts.draft_length(pair[1]))
        for length, run in runs:
            if not length:
                continue
            slots, adjacent = zip(*run, strict=True)
            begun = self._clock()
            verified = self._drafts.verify(slots[0], list(adjacent))
            self._synchronize(policy)
            policy.drafts_took(length * len(adjacent), self._clock() - begun)
            for sequence, result in zip(adjacent, verified, strict=True):
                depths = [full_depth] * len(result.tokens)
                spent = result.drafted * full_depth
                outputs.append(StepOutput(sequence, result.tokens, depths, result.top_probs, spent, result.logprobs))
        return outputs

    def _synchronize(self, policy: StepPolicy) -> None:
        """Wait for an accelerator where deadlines depend on how long its work takes."""
        if policy.timed and self._cache.device.type == "cuda":
            torch.cuda.synchronize(self._cache.device)

    def draft_length(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return self._drafts.draft_length(sequence)

    @torch.inference_mode()
    def release(self, sequence: Sequence) -> None:
        """See `ModelRunner`. The sequence in the last slot moves into the free one."""
        self._drafts.drop(sequence)
        self._sampler.forget(sequence)
        self._biases.drop(sequence)
        if sequence is self._prefilling:
            self._prefilling = self._reading = None
            return
        slot, last = self._decoding.index(sequence), len(self._decoding) - 1
        if slot < last:
            self._cache.move(last, slot)
            self._decoding[slot] = self._decoding[last]
        self._decoding.pop()
        if self._prefilling is not None:
            self._cache.move(last + 1, last)

    def observe(self, tokens: list[int]) -> Observation:
        """See `ModelRunner`."""
        return observe(self._model.model, tokens)

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """See `ModelRunner`."""
        assert set(decoding) == set(self._decoding)
        assert prefilling is self._prefilling
        for slot, sequence in enumerate(self._decoding):
            tokens = len(sequence.tokens) + self._drafts.draft_length(sequence)
            assert self._cache.length[slot] == len(sequence.prompt) + tokens - 1, "a slot has other tokens"
