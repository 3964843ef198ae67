"""Token parity: an exported model, read back, answers prompts with exactly the tokens of the original.

transformers runs both, greedily and in the same batches. If an export rounds weights, the original's weights are first
rounded in the same way, so that any other difference shows: in the order of rows, a name, a position, a token. The
prompts rendered by the chat template are compared too; the answers continue the bare questions, which takes half the
time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tuili.errors import InputError, TuiliError
from tuili.exchange.numbers import Array
from tuili.exchange.weight_files import Report
from tuili.silence import quiet_transformers
from tuili.store import ImportedModel, open_model
from tuili.tasks import Language, domain_names, generate

PROMPTS = 200
NEW_TOKENS = 16
MAX_CHARACTERS = {Language.EN: 120, Language.ZH: 40}
BATCH = 50
Rounding = Callable[[str, Array], Array]


class ParityError(TuiliError):
    """An export does not give the same answers as its original."""


def parity_prompts(count: int = PROMPTS) -> list[str]:
    """Short questions from all domains, alternately in English and Chinese; always the same ones."""

    def questions(language: Language) -> Iterator[str]:
        for index in itertools.count():
            for domain in domain_names():
                prompt = generate(domain, seed=1, index=index, level=1 + index % 3, language=language).prompt
                if len(prompt) <= MAX_CHARACTERS[language]:
                    yield prompt

    turns = zip(questions(Language.EN), questions(Language.ZH), strict=True)
    return list(itertools.islice(itertools.chain.from_iterable(turns), count))


def check_parity(original: ImportedModel, exported: Path, rounding: Rounding, report: Report, count: int) -> int:
    """Compare the prompts and answers of a model with those of its export, which was read back into a folder.

    rounding: what the export does to a weight, given its name and float32 values.
    Returns the number of tokens, all equal. Raises `ParityError` at the first difference.
    """
    read_back = open_model(exported)
    if not isinstance(read_back, ImportedModel):
        raise InputError(f"{exported} holds no imported model")
    prompts = parity_prompts(count)
    ids = [original.tokenizer.encode_beginning(prompt) for prompt in prompts]
    for prompt, read in zip(prompts, ids, strict=True):
        asked = _chat_ids(read_back, prompt) != _chat_ids(original, prompt)
        if asked or read_back.tokenizer.encode_beginning(prompt) != read:
            raise ParityError(f"the exported tokenizer reads {prompt[:60]!r} as other tokens: nothing was written")
    if _templates(read_back) != _templates(original):
        raise ParityError("the exported chat templates are others than the original's: nothing was written")
    theirs = _answers(original, ids, rounding, lambda done: report("answers of the original", done, count))
    ours = _answers(read_back, ids, lambda name, array: array, lambda done: report("answers read back", done, count))
    for number, (wanted, found) in enumerate(zip(theirs, ours, strict=True)):
        if wanted != found:
            raise ParityError(
                f"the exported model answers prompt {number + 1} of {count}, {prompts[number][:60]!r}, with other "
                "tokens than the original: nothing was written"
            )
    return sum(map(len, theirs))


def _chat_ids(model: ImportedModel, prompt: str) -> list[int]:
    return model.tokenizer.encode_chat([{"role": "user", "content": prompt}])


def _templates(model: ImportedModel) -> dict[str, str]:
    """All templates by name, including those that these prompts do not need."""
    return {} if model.tokenizer.template is None else model.tokenizer.template.sources


def _answers(
    model: ImportedModel, prompts: Sequence[Sequence[int]], rounding: Rounding, report: Callable[[int], None]
) -> list[list[int]]:
    """The tokens that a model writes greedily after each prompt, up to a token that ends the text."""
    import torch
    from transformers import AutoModelForCausalLM

    with quiet_transformers():
        network: Any = AutoModelForCausalLM.from_pretrained(
            model.path, dtype=torch.float32, local_files_only=True, use_safetensors=True
        ).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():  # a tied head occurs only once
            parameter.copy_(torch.from_numpy(rounding(name, parameter.numpy().copy())))
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    answers: list[list[int]] = [[] for _ in prompts]
    ends, done = list(model.tokenizer.end_ids), 0
    for batch in (order[first : first + BATCH] for first in range(0, len(order), BATCH)):
        width = max(len(prompts[number]) for number in batch)
        padded = [[ends[0]] * (width - len(prompts[number])) + list(prompts[number]) for number in batch]
        mask = [[0] * (width - len(prompts[number])) + [1] * len(prompts[number]) for number in batch]
        with torch.inference_mode():
            written = network.generate(
                input_ids=torch.tensor(padded),
                attention_mask=torch.tensor(mask),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                eos_token_id=ends,
                pad_token_id=ends[0],
            )
        for number, row in zip(batch, written[:, width:].tolist(), strict=True):
            end = next((place + 1 for place, token in enumerate(row) if token in ends), len(row))
            answers[number] = row[:end]
        done += len(batch)
        report(done)
    return answers
