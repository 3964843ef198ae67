"""`POST /v1/completions`: each prompt is a question, and the text of a choice is the answer without its steps; with
`echo`, the prompt and the answer. A model that writes prose continues the prompt.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tuili.engine import Answer, Answered, Event, Request, TokenWritten
from tuili.serve.answers import finish_reason, receipt, usage
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import budget_for, sampling_for, with_seeds
from tuili.serve.ids import new_id
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.replies import TextChoice, TextCompletion
from tuili.serve.schemas.requests import CompletionRequest, StreamOptions
from tuili.serve.streams import EventStream
from tuili.serve.text_logprobs import text_logprobs


async def completions(body: CompletionRequest, http: HttpRequest) -> Response:
    """`stream: true` sends each answer as it becomes certain; from a model of steps, each comes as a whole."""
    dispatcher = Dispatcher.for_model(http, body.model)
    requests = engine_requests(body, dispatcher.served.prose)
    told = CompletionStream(dispatcher.served.name, body)
    if body.stream:
        return EventStream(dispatcher.batches(requests), told)
    answers = await dispatcher.answers(requests)
    choices = [_choice(index, answer, body) for index, answer in enumerate(answers)]
    return JsonReply({**told.completion(choices), "usage": usage(answers)})


def engine_requests(body: CompletionRequest, prose: bool) -> list[Request]:
    """The requests to the engine: one per prompt and choice, with seeds that count up for each prompt."""
    budget = budget_for(None, 1 if body.max_tokens == 0 else body.max_tokens, body.budget.model_dump())
    sampling = sampling_for(body, body.stop)
    writes = body.max_tokens != 0
    asked = Request(
        "", budget, sampling, body.depth, body.priority, writes=writes, continues=prose, calculator=body.calculator
    )
    return [one for prompt in _prompts(body) for one in with_seeds(_with_prompt(asked, prompt), body.n or 1)]


def _prompts(body: CompletionRequest) -> Iterator[str | list[int]]:
    """The prompts, each as text or as token ids. One prompt as token ids looks like a list of prompts."""
    if isinstance(body.prompt, str):
        yield body.prompt
        return
    ids = [token for token in body.prompt if isinstance(token, int)]
    if ids:
        yield ids
    else:
        yield from (prompt for prompt in body.prompt if not isinstance(prompt, int))


def _with_prompt(request: Request, prompt: str | list[int]) -> Request:
    return replace(request, prompt=prompt) if isinstance(prompt, str) else replace(request, prompt_ids=tuple(prompt))


class CompletionStream:
    """What a stream sends for a completion: its text as it becomes certain and, at the end, the rest with the receipt.
    With `echo` or log-probabilities, nothing is sent before the end.
    """

    named = False

    def __init__(self, model: str, body: CompletionRequest) -> None:
        self._id, self._created, self._model = f"cmpl-{new_id()}", int(time.time()), model
        self._body, self._options = body, body.stream_options or StreamOptions()
        self._answers: list[Answer] = []
        self._told = Counter[int]()
        """Number of characters of the answer that have been sent, by choice."""

    def of_event(self, index: int, event: Event) -> Iterator[TextCompletion]:
        """The chunk for an answer, or for what a token adds to one; nothing for other events."""
        whole = self._body.echo or self._body.logprobs is not None
        if isinstance(event, TokenWritten) and event.answer and not whole:
            self._told[index] += len(event.answer)
            yield self.completion([{"index": index, "text": event.answer, "logprobs": None, "finish_reason": None}])
        elif isinstance(event, Answered):
            self._answers.append(event.answer)
            choice = _choice(index, event.answer, self._body)
            one = self.completion([{**choice, "text": choice["text"][self._told[index] :]}])
            yield {**one, "usage": usage(self._answers)} if self._options.continuous_usage_stats else one

    def at_end(self) -> Iterator[TextCompletion]:
        """The chunk with the usage, if requested."""
        if self._options.include_usage:
            yield {**self.completion([]), "usage": usage(self._answers)}

    def completion(self, choices: list[TextChoice]) -> TextCompletion:
        """The completion with these choices, without its usage."""
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


def _choice(index: int, answer: Answer, body: CompletionRequest) -> TextChoice:
    return {
        "index": index,
        "text": answer.prompt + answer.answer if body.echo else answer.answer,
        "logprobs": None if body.logprobs is None else text_logprobs(answer, bool(body.echo)),
        "finish_reason": finish_reason(answer),
        "receipt": receipt(answer),
    }


ROUTES = (ApiRoute("POST", "/v1/completions", completions, "Answer one prompt or several", CompletionRequest),)
