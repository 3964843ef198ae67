"""The tokenizer: byte-level BPE of about 2,000 entries in which every digit and every newline is its own
token.

It is saved as a standard `tokenizer.json` with a chat template, so `AutoTokenizer` needs nothing of ours.
What a prompt and a response consist of is decided in `tuili.steps`; here they become token ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tuili.errors import InputError
from tuili.steps import END, END_THINK, THINK

PAD, BEGIN, USER, ASSISTANT = "<|pad|>", "<|begin|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (PAD, BEGIN, USER, ASSISTANT, END, THINK, END_THINK)
"""In the order of their ids, from 0 on."""

VOCABULARY = 2048
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256
LARGEST_VOCABULARY = 1_000_000
"""The trainer takes memory for all entries before it learns the first."""

SPLIT = (
    r"\p{N}|(?<=\p{N}) \p{L}+| ?\p{Ll}\p{L}+|\p{Lu}\p{L}*|\p{L}"
    r"|\n| ?[(\[{]|[)\]}]| ?[^\s\p{L}\p{N}()\[\]{}]+ ?|\s"
)
"""No token reaches across these pieces: a digit, a unit, a word, a name, a newline, a bracket, an operator.

Names and single letters come without the space before them, so that they are the same tokens in a question as in a
formula. Operators come with their spaces, and brackets stand alone, so that an operator is the same token after one as
after a number.
"""

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role == 'user' %}{{ '<|user|>' + message.content }}"
    "{% elif message.role == 'assistant' %}{{ '<|assistant|>' }}"
    "{% generation %}{{ message.content + eos_token }}{% endgeneration %}"
    "{% else %}{{ raise_exception('role ' + message.role + ' is unknown: use user and assistant') }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Learn a tokenizer from plain texts (prompts, steps, answers): the same texts give the same tokenizer.

    Few texts give fewer than `vocabulary` entries. Method: byte-level BPE, Radford et al. 2019, "Language
    Models are Unsupervised Multitask Learners". Raises `InputError` for a vocabulary that cannot hold all
    bytes, or is larger than `LARGEST_VOCABULARY`.
    """
    if not SMALLEST_VOCABULARY <= vocabulary <= LARGEST_VOCABULARY:
        allowed = f"{SMALLEST_VOCABULARY} to {LARGEST_VOCABULARY}"
        raise InputError(f"a vocabulary of {vocabulary} is out of range: use {allowed}")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=[AddedToken(text, normalized=False) for text in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=_keep_thinking(backend),
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        extra_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder. Raises `InputError` when it is damaged or not of Tuili's making."""
    file = folder / "tokenizer.json"
    try:
        tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the libraries fail in any way they like, the Rust one by a plain Exception
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{file} is damaged: {lines[0]}") from error
    if lacking := [token for token in SPECIAL_TOKENS if token not in tokenizer.get_vocab()]:
        raise InputError(f"{file} lacks {lacking[0]}: use a tokenizer that Tuili has trained")
    return tokenizer


def encode_text(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Ids of plain text: `<|end|>` or `<think>` in it are ordinary characters, never special tokens."""
    return list(_plain(tokenizer).encode(text).ids)


def encode_prompt(
    tokenizer: PreTrainedTokenizerFast, prompt: str, earlier: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """Ids of `<|begin|><|user|>{prompt}<|assistant|>`: what the model reads before it writes a response. Earlier
    questions and answers stand before it, as in the chat template.
    """
    begin, user, assistant, end = _ids(tokenizer, BEGIN, USER, ASSISTANT, END)
    ids = [begin]
    for question, answer in earlier:
        ids += [user, *encode_text(tokenizer, question), assistant, *encode_text(tokenizer, answer), end]
    return [*ids, user, *encode_text(tokenizer, prompt), assistant]


def encode_example(tokenizer: PreTrainedTokenizerFast, prompt: str, response: str) -> tuple[list[int], int]:
    """Ids of a prompt with its response and `<|end|>`, and the number of ids that belong to the prompt.

    `response` is `<think>…</think>answer`; only its first `<think>` and `</think>` become special tokens.
    Raises `InputError` for a response of another form.
    """
    thinking, close, answer = response.removeprefix(THINK).partition(END_THINK)
    if not response.startswith(THINK) or not close:
        raise InputError(f"response {response[:40]!r} must have the form {THINK}…{END_THINK}answer")
    head = encode_prompt(tokenizer, prompt)
    opening, closing, end = _ids(tokenizer, THINK, END_THINK, END)
    body = [opening, *encode_text(tokenizer, thinking), closing, *encode_text(tokenizer, answer), end]
    return head + body, len(head)


def separator_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Ids of the tokens that end a sentence, a line or a step: the borders of semantic units."""
    plain = _plain(tokenizer)
    pieces = {token: plain.decode([token]) for token in plain.get_vocab().values()}
    ends = (token for token, piece in pieces.items() if piece in {"\n", ". ", "? ", "; "})
    return sorted({*ends, *_ids(tokenizer, USER, ASSISTANT, THINK, END_THINK)})


def _keep_thinking(backend: Tokenizer) -> Tokenizer:
    """Let `<think>` and `</think>` survive `decode(skip_special_tokens=True)`: answers are read from that."""
    state = json.loads(backend.to_str())
    for token in state["added_tokens"]:
        token["special"] = token["content"] not in (THINK, END_THINK)
    return Tokenizer.from_str(json.dumps(state))


@lru_cache(maxsize=8)
def _plain(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """The same BPE without any added token, which therefore cannot produce one."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return Tokenizer.from_str(json.dumps(state | {"added_tokens": [], "truncation": None, "padding": None}))


def _ids(tokenizer: PreTrainedTokenizerFast, *tokens: str) -> list[int]:
    plain = _plain(tokenizer)
    ids = [plain.token_to_id(token) for token in tokens]
    if None in ids:
        raise InputError(f"the tokenizer has no token {tokens[ids.index(None)]}: use one that Tuili has trained")
    return [token for token in ids if token is not None]
