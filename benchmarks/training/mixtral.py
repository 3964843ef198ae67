"""The other side of the benchmark `training`: a Mixtral as large as a Tuili model, under the Hugging Face Trainer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    DataCollatorWithFlattening,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.training.tuili_training import Segment
from tuili.data import IGNORE_INDEX, Block
from tuili.model import TuiliConfig, count_parameters
from tuili.store import Parameters

Example = dict[str, list[int]]


@dataclass(frozen=True)
class Variant:
    """One way to use the Trainer.

    packing: documents flattened into one row; else padded, in batches of similar length.
    bf16: autocast; else fp32.
    experts: transformers' name of the expert code.
    """

    packing: bool
    bf16: bool
    experts: str
    compiled: bool = False

    def __str__(self) -> str:
        form = f"{'packing' if self.packing else 'padding'}_{'bf16' if self.bf16 else 'fp32'}_{self.experts}"
        return f"{form}_compiled" if self.compiled else form


VARIANTS = tuple(Variant(p, b, e) for p in (False, True) for b in (False, True) for e in ("eager", "grouped_mm"))


def equal_mixtral(config: TuiliConfig) -> MixtralConfig:
    """A Mixtral as deep and wide, with experts in every layer.

    The size of its experts gives as many active parameters, their number as many parameters in all.
    """
    wanted, multiple = count_parameters(config), 8  # rows of experts must be aligned for `grouped_mm`
    assert config.num_hidden_layers is not None
    matrices = 3 * config.hidden_size * config.num_hidden_layers
    sizes: dict[str, Any] = {
        name: getattr(config, name)
        for name in (
            *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
            *("head_dim", "num_experts_per_tok", "max_position_embeddings", "pad_token_id", "tie_word_embeddings"),
        )
    }
    size, experts = multiple, config.num_experts
    for _ in range(2):  # the router's own parameters depend on the number of experts
        trial = MixtralConfig(**sizes, intermediate_size=size, num_local_experts=experts)
        rest = mixtral_parameters(trial).total - matrices * size * experts
        size = round((wanted.active - rest) / (matrices * config.num_experts_per_tok) / multiple) * multiple
        experts = round((wanted.total - rest) / (matrices * size))
    return MixtralConfig(**sizes, intermediate_size=size, num_local_experts=experts)


def mixtral_parameters(config: MixtralConfig) -> Parameters:
    """Counted as `count_parameters` counts ours; every token goes through all layers."""
    with torch.device("meta"):
        model = MixtralForCausalLM(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    idle = experts * (config.num_local_experts - config.num_experts_per_tok) // config.num_local_experts
    return Parameters(total=total, active=total - idle, active_trunk=total - idle)


def examples(block: Block) -> list[Example]:
    """The documents of a block as the Trainer takes them: ids, and labels that leave out the prompt."""
    documents: list[Example] = []
    for tokens_T, documents_T, targets_T in zip(block.tokens_BT, block.documents_BT, block.targets_BT, strict=True):
        for number in range(int(documents_T.max()) + 1):
            document_T = documents_T == number
            labels = [IGNORE_INDEX, *targets_T[document_T].tolist()[:-1]]
            documents.append({"input_ids": tokens_T[document_T].tolist(), "labels": labels})
    return documents


def train_mixtral(
    config: MixtralConfig,
    tokenizer: PreTrainedTokenizerFast,
    accumulation: int,
    blocks: Sequence[Block],
    variant: Variant,
    rate: float,
    *,
    warmup: int,
) -> Segment:
    """Train one step for every `accumulation` blocks, with as many documents a batch as a block holds.

    warmup: the first steps, which are not timed.
    """
    torch.manual_seed(0)
    config._experts_implementation = variant.experts
    data = [example for block in blocks for example in examples(block)]
    collate: Callable[[list[Any]], Any] = (
        DataCollatorWithFlattening() if variant.packing else DataCollatorForSeq2Seq(tokenizer)
    )
    tokens: list[int] = []

    def counted(features: list[Example]) -> Any:
        tokens.append(sum(len(feature["input_ids"]) for feature in features))
        return collate(features)

    watch = _Watch()
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch,
            max_steps=len(blocks) // accumulation,
            gradient_accumulation_steps=accumulation,
            per_device_train_batch_size=round(fmean(len(examples(block)) for block in blocks)),
            train_sampling_strategy="random" if variant.packing else "group_by_length",
            learning_rate=rate,
            bf16=variant.bf16,
            torch_compile=variant.compiled,
            use_cpu=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        model = MixtralForCausalLM(config)
        trainer = Trainer(model, settings, data_collator=counted, train_dataset=data, callbacks=[watch])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    timed = tokens[warmup * accumulation : len(watch.ends) * accumulation]
    done = sum(timed) / (watch.ends[-1] - watch.ends[warmup - 1])
    return Segment(done, 6 * mixtral_parameters(config).active * done)


class _Watch(TrainerCallback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note when a step was done."""
        self.ends.append(time.perf_counter())
