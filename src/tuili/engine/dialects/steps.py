"""The dialect of Tuili's own models: a question in, steps in the step language and a short answer out."""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuili.engine.answer import shortcoming
from tuili.engine.attempt import Attempt
from tuili.engine.dialects.dialect import Claims, ReadRequest
from tuili.engine.prompt import given_ids, is_whole, prompt_ids, question_text
from tuili.engine.proof import judge_proof
from tuili.engine.request import Request
from tuili.engine.sequence import Sequence, StopReason
from tuili.engine.text.step_reader import StepReader
from tuili.engine.trial import try_program
from tuili.engine.written import CheckedStep, parse_tokens
from tuili.errors import InputError
from tuili.steps import THINK, Context, Turns, programs, read_as, read_claim, read_turns
from tuili.store import Tokenizer

if TYPE_CHECKING:
    from tuili.engine.controller import RequestState


@dataclass(frozen=True)
class StepsDialect:
    """See `Dialect`."""

    tokenizer: Tokenizer
    prose = False

    def read(self, request: Request, context: int) -> ReadRequest:
        """Read the question by `tuili.steps.read_as`, except for token ids and when prompt scores are requested."""
        of_prose = {"messages": request.messages, "tools": request.tools, "thinks": not request.thinks}
        for name, asked in {**of_prose, "continues": request.continues}.items():
            if asked:
                raise InputError(f"{name}: only imported models, which write prose, are asked like this")
        tokenizer, given, scored = self.tokenizer, request.prompt_ids, request.sampling.prompt_logprobs is not None
        if given is None and not scored:
            question, preceding = read_turns(request.prompt, request.earlier)
            request = replace(request, read_as=None if question == request.prompt else question, earlier=preceding)
        text, earlier = request.question, request.earlier
        if given is not None:
            ids = given_ids(tokenizer, given, context)
            text, before_it = question_text(tokenizer, given)
            request, earlier = replace(request, prompt=tokenizer.decode(given)), (*earlier, ("", before_it))
            if list(given) == tokenizer.encode_text(text) and read_as(text).text == text:  # equivalent to this text
                request = replace(request, prompt_ids=None)
        if request.prompt_ids is None:
            ids = prompt_ids(tokenizer, request.question, context, request.earlier)
        if request.context == Context():
            request = replace(request, context=Context.from_prompt(text, earlier))
        whole = request.prompt_ids is not None and is_whole(tokenizer, request.prompt_ids)
        before = len(tokenizer.encode_prompt("", request.earlier)) - 1 if scored and not whole else 0
        return ReadRequest(request, ids, slice(before, len(ids) if whole else len(ids) - 1))

    def encode(self, turns: Turns, context: int) -> list[int]:
        """Encode questions that were all read by `tuili.steps.read_as`."""
        text, earlier = read_turns(*turns)
        return prompt_ids(self.tokenizer, text, context, earlier)

    def claims(self, request: Request) -> Claims:
        """The claim and the examples in the question."""
        return Claims(read_claim(request.question, request.context), programs.read_examples(request.question))

    def prefix_ids(self, prompt: Tokens[int], steps: tuple[CheckedStep, ...]) -> list[int]:
        """`<think>` and the steps, one per line."""
        if not steps:
            return []
        lines = "".join(f"\n{step.text}" for step in steps)
        return [self.tokenizer.token_id(THINK), *self.tokenizer.encode_text(f"{lines}\n")]

    def reader(self, sequence: Sequence) -> StepReader:
        """A reader of steps; nothing counts as an answer before it has been checked."""
        return StepReader(thinking=bool(sequence.prefix_steps))

    def check(
        self, sequence: Sequence, prefix: tuple[CheckedStep, ...], state: RequestState, refines_untraced: bool
    ) -> Attempt:
        """Check steps, and also claims and programs."""
        cut = sequence.stop not in (StopReason.END, StopReason.STOP)
        stops, context = sequence.sampling.stop, state.request.context
        written = self.tokenizer, sequence.tokens, sequence.depths
        response = parse_tokens(*written, context, prefix, stops, cut, state.judged, sequence.calculated)
        proof, unsettled = judge_proof(state.claims.claim, state.request.question, response, context)
        trial, refuted = try_program(state.claims.shown, response)
        reason = shortcoming(response, str(sequence.stop), refines_untraced) or unsettled or refuted
        return Attempt(sequence, response, reason, proof=proof, trial=trial)
