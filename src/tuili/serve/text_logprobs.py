"""Log-probabilities in the format of OpenAI's completions, which identifies tokens by their text."""

from __future__ import annotations

from codecs import getincrementaldecoder

from tuili.engine import Answer
from tuili.serve.schemas.replies import TextLogprobs


def text_logprobs(answer: Answer, echo: bool) -> TextLogprobs:
    """The tokens of an answer, after those of the prompt if `echo`. As with OpenAI, the first token of a prompt has no
    log-probability, and the chosen token is listed among the likeliest ones.
    """
    prompt = (answer.prompt_logprobs or ()) if echo else ()
    reply: TextLogprobs = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    text, characters = getincrementaldecoder("utf-8")(errors="replace"), 0
    for place, token in enumerate((*prompt, *(answer.logprobs or ()))):
        name = _name(token.data)
        first = (place == 0 and echo) or token.logprob is None
        top = {name: token.logprob, **{_name(other): logprob for other, logprob in token.top}}
        reply["tokens"].append(name)
        reply["token_logprobs"].append(None if first else token.logprob)
        reply["top_logprobs"].append(None if first else {key: one for key, one in top.items() if one is not None})
        reply["text_offset"].append(characters)
        characters += len(text.decode(token.data))
    return reply


def _name(data: bytes) -> str:
    """The text of a token, or its bytes in OpenAI's notation if they are not whole characters."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
