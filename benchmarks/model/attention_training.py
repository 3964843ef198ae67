"""Forward and backward of layered attention by the forms that train on this device: tokens a second and memory.

On a CPU the native library is beside the form of one pass, on a GPU flex attention is. A step reads one long document
in each row in all layers of a trunk, and then half of its tokens, in random order, in one layer of reasoning, as a
training does. The feed-forward networks are as narrow as they can be and the experts are left out. Products run in bf16
under autocast. The memory is that of the tensors which the forward pass keeps for the backward pass, weights left out;
on a GPU the peak of a whole step is told too. How far the gradients of the forms are apart is part of the record.

Dimensions: B rows, T tokens, Q queries, M model width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure, time_runs
from tuili.model import TuiliForCausalLM, preset, set_kernels
from tuili.native import Library, load
from tuili.train import can_compile, keep_freed_memory

TOKENS_OF_A_UNIT = 12
"""Every so many tokens there is one that ends a unit, on average."""
MIB = 2**20

Step = Callable[[], tuple[Tensor, ...]]


def measure(
    size: str = "micro",
    lengths: tuple[int, ...] = (288, 1024),
    tokens: int = 4096,
    runs: int = 7,
    warmup: int = 3,
    threads: int = 1,
) -> Measured:
    """Figures of each form by the length of a row; there are as many rows as `tokens` fill.

    One thread on a CPU by default, as a replica of a training run has.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()  # as a training does
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    models = contenders(size, device)
    figures: dict[str, Figure] = {}
    for length in lengths:
        ids_BT = texts(max(1, tokens // length), length, device)
        steps = {name: forward_backward(model, ids_BT) for name, model in models.items()}
        reference = steps["joint"]()
        times = time_runs(*steps.values(), n=runs, warmup=warmup)
        for (name, step), time in zip(steps.items(), times, strict=True):
            key = f"{length}_{name}"
            figures[f"{key}_tokens"] = Figure("tokens/s", [ids_BT.numel() / ms * 1e3 for ms in time.runs])
            figures[f"{key}_kept"] = Figure("MiB", [kept_bytes(step, models[name]) / MIB])
            if name != "joint":
                figures[f"{key}_over_joint"] = ratio(figures[f"{key}_tokens"], figures[f"{length}_joint_tokens"])
                figures[f"{key}_apart"] = Figure("share of the norm", [apart(step(), reference)])
            if device.type == "cuda":
                figures[f"{key}_peak"] = Figure("MiB", [peak_bytes(step) / MIB])
    return {
        "size": size,
        "lengths": list(lengths),
        "tokens": tokens,
        "warmup": warmup,
        "device": device.type,
        "compiled": can_compile("auto", device),
    }, figures


def contenders(size: str, device: torch.device) -> dict[str, TuiliForCausalLM]:
    """Models of the same weights by the name of the form that they train by."""
    compiles = can_compile("auto", device)
    forms: dict[str, dict[str, bool]] = {"joint": {}}
    if device.type == "cpu" and isinstance(load(), Library):
        forms["native"] = {"native": True}
    if device.type == "cuda" and compiles:
        forms["flex"] = {"flex": True}
    models = {}
    for name, form in forms.items():
        torch.manual_seed(0)
        model = TuiliForCausalLM(preset(size, intermediate_size=1, separator_token_ids=[5])).train()
        set_kernels(model, fused=compiles, **form)
        models[name] = model.to(device)
    return models


def texts(rows: int, length: int, device: torch.device) -> Tensor:
    """Random tokens [B, T], the same in every call."""
    random = torch.Generator().manual_seed(length)
    ids_BT = torch.randint(6, 2000, (rows, length), generator=random)
    ends_BT = torch.rand(ids_BT.shape, generator=random) < 1 / TOKENS_OF_A_UNIT
    return ids_BT.masked_fill(ends_BT, 5).to(device)


def forward_backward(model: TuiliForCausalLM, ids_BT: Tensor) -> Step:
    """A function that gives the gradients of the weights of the trunk and of one layer's attention beyond it."""
    network, layer = model.model, model.model.reasoning[0]
    weights = [*network.trunk.parameters(), *network.shared_key_value.parameters(), *layer.attention.parameters()]
    random = torch.Generator().manual_seed(0)
    index_BQ = torch.rand(ids_BT.shape, generator=random).argsort(dim=1)[:, : ids_BT.shape[1] // 2].to(ids_BT.device)

    def step() -> tuple[Tensor, ...]:
        with torch.autocast(ids_BT.device.type, torch.bfloat16):
            hidden_BTM, shared, frame = network.encode(ids_BT)
            hidden_BQM = hidden_BTM.gather(1, index_BQ[..., None].expand(-1, -1, hidden_BTM.shape[2]))
            frame = frame.at(index_BQ, torch.ones_like(index_BQ, dtype=torch.bool))
            hidden_BQM = hidden_BQM + layer.attention(layer.attention_norm(hidden_BQM), shared, frame)
        gradients = torch.autograd.grad(hidden_BQM.float().square().mean(), weights)
        if ids_BT.is_cuda:
            torch.cuda.synchronize()
        return gradients

    return step


def apart(gradients: tuple[Tensor, ...], reference: tuple[Tensor, ...]) -> float:
    """The largest distance of a weight's gradient from its reference, as a share of the latter's norm."""
    pairs = [(ours, theirs) for ours, theirs in zip(gradients, reference, strict=True) if theirs.any()]
    return max(float((ours - theirs).norm() / theirs.norm()) for ours, theirs in pairs)


def kept_bytes(step: Step, model: TuiliForCausalLM) -> int:
    """Bytes of the tensors that a step keeps for its backward pass, each memory counted once and weights not at all."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = max(storage.nbytes(), kept.get(storage.data_ptr(), 0))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(size for address, size in kept.items() if address not in weights)


def peak_bytes(step: Step) -> int:
    """The most memory that a GPU holds during a step beyond what it held before."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated() - before


if __name__ == "__main__":
    run("attention_training", measure)
