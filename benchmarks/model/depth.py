"""Time saved by choosing the depth of each token: in writing, and in reading a prompt.

Writing: one `Decoder` at depth `auto` and one at full depth, with the same weights and unseen problems. Their responses
may differ, so that time is given per token written, reading the prompts included. Reading: our prefill runs the trunk
over the prompt and all layers over its last token. Its twin is the same model with all layers over every prompt token,
as a model without the shared key/value set must run them; such a model would also write keys and values in each layer.
Both end with the logits of the last token at full depth. The prompt is a row of worked problems.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from statistics import fmean

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure, time_runs
from benchmarks.harness.texts import long_rows, task_records
from tuili.engine import Decoder, Generation, load_decoder
from tuili.model import LoadedModel, TuiliForCausalLM, load_model
from tuili.store import shipped_names
from tuili.tasks import trained_domains, unseen_problems


def measure(
    model: str = "nano",
    batches: tuple[int, ...] = (1, 16),
    prompts: int = 48,
    prefill: tuple[int, ...] = (512, 1024),
    runs: int = 5,
) -> Measured:
    """Milliseconds per token written at `auto` and full depth for each batch size, and of our prefill and its twin."""
    loaded = load_model(model)
    figures: dict[str, Figure] = {}
    for batch in batches:
        figures |= decoding(loaded, batch, prompts, runs)
    for tokens in prefill:
        tokens_1T = long_rows(
            loaded.tokenizer, task_records(experts=loaded.model.config.domains), rows=1, length=tokens
        )
        ours, twin = (partial(read, loaded.model, tokens_1T, everywhere) for everywhere in (False, True))
        key = f"prefill_{tokens}"
        figures[f"{key}_ours"], figures[f"{key}_full_depth"] = time_runs(ours, twin, n=runs, warmup=2)
        figures[f"{key}_speedup"] = ratio(figures[f"{key}_full_depth"], figures[f"{key}_ours"])
    return {
        "model": model if model in shipped_names() else "given",
        "exit_threshold": loaded.model.config.exit_threshold,
        "prompts": prompts,
        "compared": "same weights and code; only the layers that tokens run differ",
        "goal": "prefill speedup >= 2.5",
    }, figures


def decoding(loaded: LoadedModel, batch: int, prompts: int, runs: int) -> dict[str, Figure]:
    """Both decoders in turns on the same problems, evenly from the model's domains and levels 1 to 3."""
    domains = trained_domains(loaded.model.config.domains)
    problems = unseen_problems(domains, (1, 2, 3), per_cell=-(-prompts // (len(domains) * 3)), seed=1)
    texts = [problem.prompt for problem in problems[:: max(1, len(problems) // prompts)]][:prompts]
    full_depth = loaded.model.config.exit_layers[-1]
    decoders = {
        "auto": load_decoder(loaded, "auto", batch_size=batch, numbers="fp32"),
        "full": load_decoder(loaded, full_depth, batch_size=batch, numbers="fp32"),
    }
    for decoder in decoders.values():
        decoder.generate(texts[:batch])
    times: dict[str, list[float]] = {name: [] for name in decoders}
    depths: list[float] = []
    for _ in range(runs):
        for name, decoder in decoders.items():
            milliseconds, written = timed(decoder, texts)
            times[name].append(milliseconds)
            if name == "auto":
                depths.append(fmean(depth for generation in written for depth in generation.depths))
    figures = {f"decode_{batch}_{name}": Figure("ms/token", runs) for name, runs in times.items()}
    speedup = ratio(figures[f"decode_{batch}_full"], figures[f"decode_{batch}_auto"])
    return figures | {
        f"decode_{batch}_speedup": speedup,
        f"decode_{batch}_auto_mean_depth": Figure("layers", depths),
    }


def timed(decoder: Decoder, texts: Sequence[str]) -> tuple[float, list[Generation]]:
    """Milliseconds for each token written in answer to these prompts, and what was written."""
    start = time.perf_counter()
    written = decoder.generate(texts)
    seconds = time.perf_counter() - start
    return seconds * 1e3 / sum(len(generation.tokens) for generation in written), written


@torch.inference_mode()
def read(network: TuiliForCausalLM, tokens_1T: Tensor, everywhere: bool) -> Tensor:
    """Logits [1, V] after a prompt; with `everywhere` all its tokens run the reasoning layers, else the last one."""
    model = network.model
    hidden_1QM, shared, frame = model.encode(tokens_1T, cache=DynamicCache(config=network.config))
    if not everywhere:
        hidden_1QM, frame = hidden_1QM[:, -1:], frame.at(torch.tensor([[tokens_1T.shape[1] - 1]]), None)
    for group in model.groups():
        hidden_1QM, _ = model.reason(hidden_1QM, shared, frame, group)
    logits_1V: Tensor = network.lm_head(model.norm(hidden_1QM[:, -1]))
    return logits_1V


if __name__ == "__main__":
    run("depth", measure)
