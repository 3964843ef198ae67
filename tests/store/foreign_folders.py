"""Folders with tokenizers of other houses, trained on a few lines: byte-level and sentencepiece-like ones, with chat
templates of their families."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINKING = """{%- if tools %}
    {{- '<|im_start|>system\\n# Tools\\n' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- if message.role == "user" and not message.content.startswith('<tool_response>') %}
        {%- set ns.last = messages|length - loop.index %}
        {%- break %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.index0 > ns.last and message.reasoning_content %}
            {{- '<think>\\n' + message.reasoning_content.strip('\\n') + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
"""In the manner of Qwen3's: earlier thinking is left out."""
HEADERS = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
"""In the manner of Llama 3's."""
INSTRUCTIONS = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system message is known here') }}{% endif %}"
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""In the manner of Llama 2's."""
TEXTS = (
    "What is 12 + 30? 12 + 30 = 42, so the answer is 42.",
    "The quick brown fox jumps over the lazy dog. Don't stop, we'll see!",
    "你好，世界。三加四等于七。 naïve café – été 🙂\n\n\tdef f(x):\n        return x * 2",
    "<think>\nassistant user system\n</think>",
)


@cache
def byte_level(names: tuple[str, ...], plain: tuple[str, ...] = (), begins: str | None = None) -> tokenizers.Tokenizer:
    """A byte-level BPE with some special tokens, some added ones that are none, and one that begins texts."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    )
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    backend.add_tokens([AddedToken(name, special=False, normalized=False) for name in plain])
    if begins is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{begins} $A", special_tokens=[(begins, backend.token_to_id(begins))]
        )
    return backend


@cache
def sentencepiece(legacy: bool) -> tokenizers.Tokenizer:
    """A BPE in the manner of sentencepiece's, with byte fallback.

    legacy: whether the normalizer puts a space before every piece of a text, as older folders have it.
    """
    trained = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    byte_entries = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>", *byte_entries]
    corpus = [text for text in TEXTS if text.isascii() and "<" not in text]
    trained.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=360, special_tokens=special, show_progress=False)
    )
    state = json.loads(trained.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special[:3]]
    backend = tokenizers.Tokenizer.from_str(json.dumps(state))
    if legacy:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = None  # type: ignore[assignment]
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return backend


CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
HEADER_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
KINDS = ("chatml", "thinking", "headers", "sentencepiece", "legacy sentencepiece", "no template")


def save_tokenizer(folder: Path, kind: str) -> Path:
    """Write the tokenizer of one of `KINDS` into a folder. Returns the folder."""
    backend, template, begins, ends = _made(kind)
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "TokenizersBackend", "bos_token": begins, "eos_token": ends}
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def _made(kind: str) -> tuple[tokenizers.Tokenizer, str | None, str | None, str]:
    if kind == "thinking":
        plain = ("<think>", "</think>", "<tool_response>", "ö", "    ")
        return byte_level(CHATML_TOKENS, plain), THINKING, None, "<|im_end|>"
    if kind == "headers":
        return byte_level(HEADER_TOKENS, begins="<|begin_of_text|>"), HEADERS, "<|begin_of_text|>", "<|eot_id|>"
    if kind in ("sentencepiece", "legacy sentencepiece"):
        return sentencepiece(kind.startswith("legacy")), INSTRUCTIONS, "<s>", "</s>"
    return byte_level(CHATML_TOKENS), CHATML if kind == "chatml" else None, "<|im_start|>", "<|im_end|>"
