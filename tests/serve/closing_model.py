"""Folders with an imported model of random weights that comes to an end soon: it likes tokens that close a text."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import torch

from tests.store.dense_folders import dense_model, dense_tokenizer

LIKED = {
    '"': 8.0,
    "}": 4.0,
    "]": 4.0,
    "<|im_end|>": 12.0,
    "<|endoftext|>": -9.0,
    "<|im_start|>": -9.0,
    "<tool_call>": -9.0,
}
"""Texts of tokens, and what is added to their logits, times about four."""
LOUD = 30.0
"""A hidden number beside which all others are small."""
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
TEMPLATE_WITH_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\n# Tools\n' }}{% for tool in tools %}{{ tool | tojson }}{{ '\n' }}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endif %}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}"
    "{% for call in message.tool_calls or [] %}{{ '<tool_call>\n' }}{{ call.function | tojson }}{{ '\n</tool_call>' }}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant' + ('\t' if messages[-1]['role'] == 'tool' else '\n') }}"
)


def save_closing(folder: Path, *, calls: bool = False, seed: int = 0) -> Path:
    """The model, which answers with a quotation mark where nothing else is asked of it.

    calls: it calls a function if it may, and answers when that has replied; its template knows of functions.
    """
    tokenizer = deepcopy(dense_tokenizer())
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    tokenizer.chat_template = TEMPLATE_WITH_TOOLS if calls else TEMPLATE
    model = dense_model("llama", seed, vocab_size=len(tokenizer), max_position_embeddings=4096)

    def ids(*texts: str) -> list[int]:
        return [tokenizer.encode(text)[0] for text in texts]

    with torch.no_grad():
        # The first hidden number is the same behind every token, so that the head's column for it is a bias. The second
        # and the third tell whether a line break or a tabulator was the last token.
        embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
        embedding[:, :3] = torch.tensor([LOUD, 0.0, 0.0])
        embedding[ids("\n"), 1] = embedding[ids("\t"), 2] = LOUD
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[:3] = layer.mlp.down_proj.weight[:3] = 0.0
        model.model.norm.weight[:3] = 1.0
        head[:, :3] = 0.0
        head[ids(*LIKED), 0] = torch.tensor(list(LIKED.values()))
        head[ids("<|im_end|>"), 1:3] = -20.0
        if calls:
            head[ids("<tool_call>"), 1] = 20.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
