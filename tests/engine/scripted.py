"""A model runner without a model: it decodes the tokens that a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tuili.engine import Observation, PrefillOutput, Runtime, Sequence, StepOutput, StepPolicy


class ScriptedRunner:
    """Decodes one token a step for every sequence: `script` says which. Tokens leave at the shallowest exit allowed."""

    exit_threshold, verifies, runtime = 0.9, False, Runtime("scripted")

    def __init__(
        self,
        script: Callable[[Sequence], int],
        end_id: int,
        *,
        slots: int = 16,
        context: int = 512,
        exits: tuple[int, ...] = (1, 2, 3, 4),
    ) -> None:
        self.slots, self.context, self.exits, self.end_ids = slots, context, exits, (end_id,)
        self.started: list[Sequence] = []
        """Every sequence that was given a slot, in order."""
        self.rewound = 0
        self.read_depth = exits[0]
        self._script = script
        self._decoding: list[Sequence] = []
        self._prefilled = 0

    def start(self, sequence: Sequence) -> int:
        self.started.append(sequence)
        self._prefilled = 0
        return 0

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        self._prefilled += len(tokens)
        if self._prefilled < len(sequence.prompt):
            return PrefillOutput()
        self._decoding.append(sequence)
        return PrefillOutput(first=self._outputs([sequence], policy)[0])

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        return self._outputs(self._decoding, policy)

    def _outputs(self, sequences: list[Sequence], policy: StepPolicy) -> list[StepOutput]:
        depths = [sequence.min_layers(self.exits) for sequence in sequences]
        for index, exit_depth in enumerate(self.exits[:-1]):
            if together := sum(depth > exit_depth for depth in depths):
                policy.group_took(index, together, 0.0)
        return [
            StepOutput(sequence, [self._script(sequence)], [depth], [1.0], depth)
            for sequence, depth in zip(sequences, depths, strict=True)
        ]

    def rewind(self, sequence: Sequence) -> None:
        self.rewound += 1

    def draft_length(self, sequence: Sequence) -> int:
        return 0

    def measure(self) -> None:
        pass

    def release(self, sequence: Sequence) -> None:
        if sequence in self._decoding:
            self._decoding.remove(sequence)

    def observe(self) -> Observation | None:
        return None

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        assert set(decoding) == set(self._decoding)
