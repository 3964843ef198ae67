"""The tokenizer as transformers knows it: what `AutoTokenizer` reads from a model's folder, and the chat template.

Tuili's own conversion between texts and ids is in `tuili.store`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import PreTrainedTokenizerFast

from tuili.steps import END
from tuili.store import ASSISTANT, BEGIN, PAD, USER, Tokenizer

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
"""It gives the ids of `Tokenizer.encode_prompt` and `Tokenizer.encode_example`, unless texts spell special tokens."""


def transformers_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as one of transformers, which saves itself in Hugging Face layout.

    A tokenizer that was read from a folder keeps everything in its files, such as a different chat template.
    """
    if tokenizer.files:
        with TemporaryDirectory() as folder:
            for name, content in tokenizer.files.items():
                Path(folder, name).parent.mkdir(exist_ok=True)
                Path(folder, name).write_bytes(content)
            saved: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        return saved
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        extra_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
    )
