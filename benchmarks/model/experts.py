"""Forward and backward of one expert block, beside a dense network of equal active size and other expert code.

Every contender maps the same T tokens and gives the gradients of the tokens and of all its weights. Our block and the
dense network run by the native library where that is to be had, and our block by torch, too. Our blocks, their loop
twin and Mixtral's block have a router each, which is part of the time; the dense network has none. Routers are
untrained, so that the load is nearly even. Each run has new tokens, the same for all contenders.

Dimensions: N runs, then tokens; T tokens of a run, M model width, D the same in our block, k experts of a token.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import cycle

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure, time_runs
from tuili.model import Experts, FeedForward, MixtureOfExperts, TuiliConfig, preset, set_kernels
from tuili.native import Library, load
from tuili.train import can_compile, keep_freed_memory

Block = Callable[[Tensor], Tensor]


def measure(
    sizes: tuple[str, ...] = ("nano", "micro"),
    tokens: tuple[int, ...] = (1024, 4096),
    runs: int = 15,
    warmup: int = 40,
    threads: int = 1,
) -> Measured:
    """Milliseconds of each contender and its ratio to the dense network, by size, number format and tokens.

    One thread by default, as a replica of a training run has. In every run an expert has another number of tokens, and
    the libraries prepare a kernel for each new number: the warm-up takes that out of the time.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()  # as a training does
    figures: dict[str, Figure] = {}
    for size in sizes:
        config = preset(size)
        modules = contenders(config)
        for count in tokens:
            inputs_NTM = torch.randn(runs + warmup, 1, count, config.hidden_size)
            for dtype in (torch.float32, torch.bfloat16):
                label = f"{size}_{'fp32' if dtype is torch.float32 else 'bf16'}_{count}"
                steps = [forward_backward(module, inputs_NTM, dtype) for module in modules.values()]
                times = dict(zip(modules, time_runs(*steps, n=runs, warmup=warmup), strict=True))
                figures |= {f"{label}_{name}": time for name, time in times.items()}
                figures |= {f"{label}_{name}_over_dense": ratio(times[name], times["dense"]) for name in times}
                del figures[f"{label}_dense_over_dense"]
    return {
        "sizes": list(sizes),
        "tokens": list(tokens),
        "warmup": warmup,
        "compared": "gradients of tokens and weights; bf16 is autocast over fp32 weights; routers are included",
        "goal": "ours_over_dense <= 1.15",
    }, figures


def contenders(config: TuiliConfig) -> dict[str, nn.Module]:
    """The blocks by name, with random weights; `ours_by_torch` and `loop` have the weights of `ours`."""
    torch.manual_seed(0)
    slots, size = config.num_experts_per_tok, config.moe_intermediate_size
    narrow = copy.deepcopy(config)
    narrow.intermediate_size, config._experts_implementation = slots * size, "eager"
    dense, (ours, by_torch, loop) = FeedForward(narrow), (MixtureOfExperts(config) for _ in range(3))
    for block in (dense, ours):
        for parameter in block.parameters():
            nn.init.normal_(parameter, std=config.hidden_size**-0.5)
    by_torch.load_state_dict(ours.state_dict())
    loop.load_state_dict(ours.state_dict())
    loop.experts.forward = lambda *inputs: loop_forward(loop.experts, *inputs)  # type: ignore[method-assign]
    mixtrals = {name: mixtral_block(config, name) for name in ("eager", "grouped_mm")}
    others = {"loop": loop, **{f"mixtral_{name}": block for name, block in mixtrals.items()}}
    blocks = {"dense": dense, "ours": ours, "ours_by_torch": by_torch, **others}
    compiles = can_compile("auto", torch.device("cpu"))
    for name, module in blocks.items():
        native = name in ("dense", "ours") and isinstance(load(), Library)
        set_kernels(module.train(), fused=compiles, native=native)
    return blocks


def loop_forward(experts: Experts, hidden_ND: Tensor, index_Nk: Tensor, weight_Nk: Tensor) -> Tensor:
    """Our experts written plainly: one expert after the other maps its tokens, and autograd gives the gradients."""
    output_ND = torch.zeros_like(hidden_ND)
    for expert in range(experts.num_experts):
        token, slot = (index_Nk == expert).nonzero(as_tuple=True)
        gate, up = F.linear(hidden_ND[token], experts.gate_up_proj[expert]).chunk(2, dim=-1)
        expert_output = F.linear(F.silu(gate) * up, experts.down_proj[expert])
        output_ND = output_ND.index_add(0, token, (expert_output * weight_Nk[token, slot, None]).to(output_ND.dtype))
    return output_ND


def mixtral_block(config: TuiliConfig, experts_implementation: str) -> MixtralSparseMoeBlock:
    """Mixtral's block with as many experts as ours, of the same size."""
    mixtral = MixtralConfig(
        hidden_size=config.hidden_size,
        intermediate_size=config.moe_intermediate_size,
        num_local_experts=config.num_experts,
        num_experts_per_tok=config.num_experts_per_tok,
    )
    mixtral._experts_implementation = experts_implementation
    block = MixtralSparseMoeBlock(mixtral)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=config.hidden_size**-0.5)
    return block


def forward_backward(module: nn.Module, inputs_NTM: Tensor, dtype: torch.dtype) -> Callable[[], tuple[Tensor, ...]]:
    """A function that gives the gradients of the next input and of all weights."""
    inputs: Iterator[Tensor] = cycle(inputs_NTM.requires_grad_().unbind())
    weights = list(module.parameters())
    grad_1TM = torch.randn_like(inputs_NTM[0])

    def step() -> tuple[Tensor, ...]:
        hidden_1TM = next(inputs)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            output = module(hidden_1TM)
            output_1TM = output[0] if isinstance(output, tuple) else output
        return torch.autograd.grad(output_1TM, [hidden_1TM, *weights], grad_1TM.to(output_1TM.dtype))

    return step


if __name__ == "__main__":
    run("experts", measure)
