"""The dialect of imported models: messages go in through the model's chat template; thinking, then prose, comes out.

Lines of thinking are checked as steps; lines that say nothing in the step language are unsupported. Steps are not
required: prose without any is an answer. The prose is shown as it was written, even if a limit cut it off.
"""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuili.engine.answer import shortcoming
from tuili.engine.attempt import CUT_OFF, Attempt
from tuili.engine.dialects.dialect import Claims, ReadRequest
from tuili.engine.prompt import check_text, fitting
from tuili.engine.request import Request
from tuili.engine.sequence import Sequence, StopReason
from tuili.engine.text.prose import ProseReader, begins_inside
from tuili.engine.written import CheckedStep, parse_prose
from tuili.errors import PromptError
from tuili.steps import THINK, Context, Turns
from tuili.store import Chat, ForeignTokenizer

if TYPE_CHECKING:
    from tuili.engine.controller import RequestState


@dataclass(frozen=True)
class ProseDialect:
    """See `Dialect`."""

    tokenizer: ForeignTokenizer
    prose = True

    def __post_init__(self) -> None:
        self.tokenizer.prepare()

    def read(self, request: Request, context: int) -> ReadRequest:
        """Pass messages to the template unchanged. Text to be continued, and token ids, are taken as they are."""
        tokenizer = self.tokenizer
        if request.prompt_ids is not None:
            ids, before = self._given(request.prompt_ids), 0
            request = replace(request, prompt=tokenizer.decode(ids))
        elif request.continues:
            check_text(tokenizer, request.prompt, context)
            ids = tokenizer.encode_beginning(request.prompt)
            before = len(ids) - len(tokenizer.encode_text(request.prompt))
        else:
            chat = request.messages or _messages(request.prompt, request.earlier)
            ids, before = self._encode(chat, context, request.tools, request.thinks), 0
            request = request if request.prompt else replace(request, prompt=_last_question(chat))
        # Models that neither think nor have values calculated for them write no steps that could be checked.
        if request.context == Context() and (tokenizer.thinks or request.calculator in ("repair", "forced")):
            request = replace(request, context=Context.from_prompt(request.prompt, request.earlier))
        return ReadRequest(request, fitting(ids, context), slice(before, len(ids)))

    def encode(self, turns: Turns, context: int) -> list[int]:
        """Encode by the chat template."""
        return fitting(self._encode(_messages(*turns), context), context)

    def claims(self, request: Request) -> Claims:
        """No claims: prose settles none."""
        return Claims()

    def prefix_ids(self, prompt: Tokens[int], steps: tuple[CheckedStep, ...]) -> list[int]:
        """The steps as lines of thinking, which is opened here unless the prompt has opened it."""
        lines = "".join(f"{step.text}\n" for step in steps)
        return self.tokenizer.encode_response(prompt, f"{THINK}\n{lines}") if steps else []

    def reader(self, sequence: Sequence) -> ProseReader:
        """A reader of prose."""
        return ProseReader(begins_inside(self.tokenizer, sequence))

    def check(
        self, sequence: Sequence, prefix: tuple[CheckedStep, ...], state: RequestState, refines_untraced: bool
    ) -> Attempt:
        """Untraced numbers are reported but trigger no further attempt: thinking aloud includes trying numbers."""
        response = parse_prose(
            self.tokenizer,
            sequence.tokens,
            sequence.depths,
            state.judged,
            prefix,
            sequence.sampling.stop,
            begins_inside(self.tokenizer, sequence),
            sequence.calculated,
        )
        reason = shortcoming(response, str(sequence.stop))
        if not reason and sequence.stop not in (StopReason.END, StopReason.STOP):
            reason = CUT_OFF
        return Attempt(sequence, response, reason)

    def _encode(self, chat: Chat, context: int, tools: Chat = (), thinking: bool = True) -> list[int]:
        texts = (text for message in chat if isinstance(text := message.get("content"), str))
        check_text(self.tokenizer, "".join(texts), context)
        return self.tokenizer.encode_chat(chat, tools or None, thinking)

    def _given(self, ids: Tokens[int]) -> list[int]:
        """The ids, unchanged. Raises `PromptError` if there are none, or some are not in the vocabulary."""
        if not ids:
            raise PromptError("the prompt is empty: there are no token ids")
        if wrong := [token for token in ids if not 0 <= token < self.tokenizer.size]:
            raise PromptError(
                f"there is no token {wrong[0]}: the vocabulary has ids from 0 to {self.tokenizer.size - 1}"
            )
        return list(ids)


def _messages(question: str, earlier: Tokens[tuple[str, str]]) -> Chat:
    """A question and the turns before it as messages."""
    texts = [*(text for turn in earlier for text in turn), question]
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def _last_question(chat: Chat) -> str:
    """The text of the user's last message."""
    asked = (message.get("content") for message in reversed(chat) if message.get("role") == "user")
    return next((text for text in asked if isinstance(text, str)), "")
