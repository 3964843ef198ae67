"""Ratios are against each of llama.cpp's formats, OpenVINO's fastest and the fastest peer; weights against memory."""

from __future__ import annotations

import pytest

from benchmarks.engine.peers.bandwidth import read_speed, weight_bytes
from benchmarks.engine.peers.plan import GOALS, PLAN, reached
from benchmarks.engine.peers.ratios import against_peers, agreement, over_memory
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.record import Figure

SPEEDS = {
    "ours_int8_full": 800.0,
    "ours_int4_full": 900.0,
    "ours_int8_exits": 2000.0,
    "llama_cpp_q8_0": 400.0,
    "llama_cpp_q4_0": 500.0,
    "openvino_bf16": 1000.0,
    "openvino_int8": 600.0,
    "transformers": 100.0,
}


def speeds(shape: str) -> dict[str, Figure]:
    return {
        f"nano_1_{name}_{shape}_{unit}": Figure("tokens/s", [speed, speed])
        for name, speed in SPEEDS.items()
        for unit in ("tokens_per_second", "tokens_per_cpu_second")
    }


def test_ours_are_compared_with_like_formats_and_with_the_fastest():
    ratios = against_peers("nano_1", 1, speeds("16x32"), [(name, "16x32") for name in SPEEDS])
    start, end = "nano_1_", "_16x32_tokens_per_cpu_second_over_"
    assert ratios[f"{start}ours_int8_full{end}llama_cpp_q8_0"].median == 2
    assert ratios[f"{start}ours_int8_exits{end}openvino"].median == 2
    assert ratios[f"{start}ours_int8_exits{end}fastest"].median == 2
    assert ratios[f"{start}ours_full{end}openvino"].median == 0.9
    assert not any("over_transformers" in key or "over_openvino_" in key for key in ratios)
    assert not any("tokens_per_second" in key for key in ratios)


def test_peers_are_told_singly_or_together_as_asked():
    keys = [(name, "16x32") for name in SPEEDS]
    ratios = against_peers("nano_1", 1, speeds("16x32"), keys, singly=("openvino",), together=("llama_cpp",))
    start, end = "nano_1_", "_16x32_tokens_per_cpu_second_over_"
    assert ratios[f"{start}ours_int8_full{end}openvino_bf16"].median == 0.8
    assert ratios[f"{start}ours_int8_full{end}llama_cpp"].median == 1.6
    assert f"{start}ours_int8_full{end}llama_cpp_q8_0" not in ratios


def test_without_peers_there_are_no_ratios():
    assert against_peers("nano_1", 1, speeds("1x32"), [("ours_int8_full", "1x32")]) == {}


def test_a_peer_agrees_by_its_first_tokens():
    runs = {("transformers", "1x32"): [{"tokens": [1, 2, 3, 4]}], ("llama_cpp_f16", "1x32"): [{"tokens": [1, 2, 3, 5]}]}
    assert agreement("nano_1", runs)["nano_1_llama_cpp_f16_1x32_first_tokens_as_transformers"].median == 0.75


def test_weights_that_are_read_a_second_are_set_against_memory():
    figures = speeds("1x32") | speeds("reading_1x32") | {"nano_1_memory": Figure("GB/s", [10.0, 10.0])}
    weights = over_memory("135m", 1, "nano_1", figures)
    read = 63 / (64 / 800 - 32 / 800) * weight_bytes(SIZES["135m"], "int8") / 1e9
    assert weights["nano_1_ours_int8_weights"].median == pytest.approx(read)
    assert weights["nano_1_ours_int8_weights_over_memory"].median == pytest.approx(read / 10)
    assert over_memory("nano", 1, "nano_1", figures) == {}  # its weights stay in the caches


@pytest.mark.parametrize("size", list(SIZES))
def test_weights_take_as_many_bytes_as_the_active_parameters(size):
    active = SIZES[size].parameters()["ours_active"]
    assert weight_bytes(SIZES[size], "fp32") == pytest.approx(4 * active, rel=0.003)
    assert weight_bytes(SIZES[size], "int8") == pytest.approx(active, rel=0.03)
    assert active / 2 < weight_bytes(SIZES[size], "int4") < 0.65 * active


def test_memory_is_read_at_some_speed():
    assert read_speed(1) > 1e8


def test_goals_are_of_ratios_that_are_measured():
    for size in {size for size, _ in PLAN}:
        names = [f"ours_{numbers}_{depth}" for numbers in ("int8", "int4") for depth in ("full", "exits")]
        names += ["llama_cpp_q8_0", "llama_cpp_q4_0", "openvino_bf16"]
        keys = [(name, str(shape)) for shape in PLAN[size, 1] for name in names]
        figures = {
            f"{size}_1_{name}_{shape}_{unit}": Figure("tokens/s", [1.0])
            for name, shape in keys
            for unit in ("tokens_per_second", "tokens_per_cpu_second")
        } | {f"{size}_1_memory": Figure("GB/s", [1.0])}
        found = against_peers(f"{size}_1", 1, figures, keys) | over_memory(size, 1, f"{size}_1", figures)
        assert {goal for goal in GOALS if goal.startswith(f"{size}_")} <= found.keys()


def test_what_is_reached_is_told_by_the_median():
    key = "135m_1_ours_int8_weights_over_memory"
    assert reached({key: Figure("x", [0.8, 0.95, 1.0])}, GOALS) == {key: {"goal": 0.9, "median": 0.95, "reached": True}}
    assert not reached({key: Figure("x", [0.8])}, GOALS)[key]["reached"]
