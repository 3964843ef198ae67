"""What `tuili info` shows of an imported model; for Tuili's own models, see `info`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuili.cli.lineage import add_recorded, describe_recorded, whole_numbers
from tuili.cli.promised import promises, show_promises, verifier_figures

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

VERBS = ("ask", "serve", "calibrate", "bench", "eval", "exits", "export", "info")
"""Verbs that take an imported model."""


def describe_imported(path: Path) -> dict[str, Any]:
    """Everything that `tuili info` reports about the imported model in a folder, as one JSON document."""
    import json
    from collections import Counter
    from dataclasses import asdict

    from tuili.store import (
        ForeignTokenizer,
        count_parameters,
        learnt_numbers,
        open_tensors,
        read_dense_shape,
        read_exits_settings,
        read_lineage,
        read_thinking_file,
        thinking_ids,
        weight_bytes,
    )

    shape = read_dense_shape(path)
    with open_tensors(path, shape) as tensors:
        kinds = Counter(tensors.kind(name) for name in tensors)
    tokenizer = ForeignTokenizer.load(path, shape.eos_token_ids)
    exits = read_exits_settings(path, shape.num_hidden_layers)
    thinking, ids = read_thinking_file(path), thinking_ids(path, tokenizer)
    return {
        "family": shape.family,
        **describe_recorded(path),
        "bytes": weight_bytes(path),
        "numbers": dict(kinds.most_common()),
        "taught_in": learnt_numbers(read_lineage(path)),
        "parameters": asdict(count_parameters(shape)),
        "exit_layers": list(shape.exit_layers),
        "exits": None if exits is None else {"threshold": exits.threshold, "figures": dict(exits.figures)},
        "thinking": None if thinking is None or ids is None else {"language": thinking.language, "tokens": len(ids)},
        "verifier": verifier_figures(path),
        **promises(path, shape.exit_threshold),
        "chat_template": tokenizer.template is not None,
        "end_tokens": [tokenizer.backend.id_to_token(end) for end in tokenizer.end_ids],
        "shape": asdict(shape),
        "config": json.loads((path / "config.json").read_bytes()),
        "verbs": list(VERBS),
    }


def show_imported(console: Console, name: str, facts: dict[str, Any], grids: tuple[Table, Table]) -> None:
    """Print the facts. grids: empty tables of two columns."""
    grid, promised = grids
    shape, numbers = facts["shape"], facts["numbers"]
    grid.add_row("model", f"{name}, imported: {shape['family']}")
    add_recorded(grid, facts)
    grid.add_row("weights", f"{facts['bytes'] / 1e6:.1f} MB, {counted(numbers)}")
    grid.add_row("parameters", f"{facts['parameters']['total']:,}")
    heads = f"{shape['num_attention_heads']} heads, {shape['num_key_value_heads']} of keys and values"
    grid.add_row("layers", f"{shape['num_hidden_layers']}, each with {heads}, of size {shape['head_dim']}")
    if ranks := shape["ranks"]:
        grid.add_row("factors", f"in place of {len(ranks)} matrices")
    if learnt := shape["quantization"]:
        grid.add_row("trained for", whole_numbers(learnt))
    elif taught := facts["taught_in"]:
        grid.add_row("trained for", f"{taught}, to which the engine rounds its weights")
    grid.add_row("exits", _exits(facts))
    if thinking := facts["thinking"]:
        share = f"{thinking['tokens']:,} of {shape['vocab_size']:,} tokens"
        grid.add_row("thinking", f"in the language of {thinking['language']}: a smaller head, of {share}")
    grid.add_row("verifier", _verifier(facts["verifier"]))
    grid.add_row("hidden size", f"{shape['hidden_size']}, {shape['intermediate_size']} in feed-forward networks")
    tied = ", the head is the embedding" if shape["tie_word_embeddings"] else ""
    grid.add_row("vocabulary", f"{shape['vocab_size']:,}{tied}")
    scaling = shape["rope_scaling"]
    stretched = f", positions stretched by {scaling['kind']}" if scaling else ""
    grid.add_row("context", f"{shape['max_position_embeddings']:,} tokens{stretched}")
    grid.add_row("chat template", "kept from the original" if facts["chat_template"] else "none: it goes on with texts")
    grid.add_row("ends a text", ", ".join(facts["end_tokens"]))
    grid.add_row("source", _source(facts))
    if adapter := _adapter(facts):
        grid.add_row("adapter", adapter)
    grid.add_row("taken by", ", ".join(f"tuili {verb}" for verb in facts["verbs"]))
    console.print(grid)
    show_promises(console, facts, promised)


def counted(kinds: Mapping[str, int]) -> str:
    """How many tensors have each number format."""
    return f"tensors: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"


def _exits(facts: dict[str, Any]) -> str:
    if facts["exits"] is None:
        return "none: every token uses all layers"
    layers = ", ".join(map(str, facts["exit_layers"][:-1]))
    figures = "".join(f", {name} {value:.4g}" for name, value in facts["exits"]["figures"].items())
    return f"after {layers}, at a confidence of {facts['exits']['threshold']:g}{figures}"


def _verifier(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return "none"
    known = (name for name in ("answer", "step") if f"{name}_auroc" in figures)
    return ", ".join(f"{name}s: AUROC {figures[f'{name}_auroc']:.3f}" for name in known) or "of unknown worth"


def _source(facts: dict[str, Any]) -> str:
    """Where the model came from, according to its lineage."""
    imported = [entry for entry in facts["lineage"] if entry["step"] == "import"]
    if not imported:
        return "not recorded: the folder was not made by tuili import"
    recipe = imported[-1]["recipe"]
    parts = [str(recipe.get("source")), *(str(recipe[key]) for key in ("package", "file", "revision") if key in recipe)]
    numbers = counted(recipe["numbers"]) if "numbers" in recipe else ""
    hashed = f"SHA-256 {str(recipe.get('sha256'))[:16]}"
    told = [", ".join(dict.fromkeys(parts)), str(recipe.get("format")), numbers, hashed, imported[-1]["date"][:10]]
    return "; ".join(part for part in told if part)


def _adapter(facts: dict[str, Any]) -> str:
    """The adapter that was added last, if any."""
    added = [entry for entry in facts["lineage"] if entry["step"] == "adapter"]
    if not added:
        return ""
    recipe, parent = added[-1]["recipe"], added[-1]["parent"]
    made = f"{recipe['adapter']}, of rank {recipe['rank']}, SHA-256 {recipe['sha256'][:16]}"
    return f"{made}; added to {recipe['base']}, hash {parent[:16]}"
