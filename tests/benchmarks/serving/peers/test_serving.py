"""The figures of a load are right, and the peers' model has the size that the record says."""

from __future__ import annotations

import pytest

from benchmarks.harness.record import Figure
from benchmarks.serving.peers.__main__ import against_llama_cpp, summary
from benchmarks.serving.peers.contenders import contenders
from benchmarks.serving.peers.llama import parameters, save_llama
from tuili.bench import RequestResult
from tuili.errors import TuiliError


def test_throughput_is_of_the_time_and_latency_of_all_answers():
    asked = [
        RequestResult(200, latency=0.2, ended=1.0, first_token=0.1, tokens=10),
        RequestResult(200, latency=0.4, ended=2.0, first_token=0.3, tokens=20),
        RequestResult(200, latency=1.2, ended=3.0, first_token=0.5, tokens=30),
        RequestResult(0, latency=0.1, ended=1.0),
        RequestResult(429, latency=0.1, ended=1.0),
    ]
    figures = summary(asked, seconds=2.0, processor=3.0)
    assert (figures["answers_per_second"], figures["tokens_per_second"], figures["tokens_per_cpu_second"]) == (
        1.0,
        15.0,
        20.0,
    )
    assert (figures["first_p50"], figures["whole_p50"], figures["unanswered"]) == (300.0, 400.0, 2)
    assert figures["whole_p99"] == pytest.approx(1184.0)
    with pytest.raises(TuiliError, match="none of 2"):
        summary(asked[3:], 1.0, 1.0)


def test_ours_are_set_against_each_format_of_llama_cpp():
    figures = {
        f"{name}_8_{what}": Figure("1", [value])
        for name, value in (("ours_int8", 6.0), ("llama_cpp_f16", 3.0), ("llama_cpp_q8_0", 2.0))
        for what in ("answers_per_second", "first_p99")
    }
    ratios = against_llama_cpp(figures, 8, ["ours_int8", "llama_cpp_f16", "llama_cpp_q8_0"])
    assert ratios["ours_int8_8_answers_per_second_over_llama_cpp_q8_0"].median == 3
    assert ratios["ours_int8_8_first_p99_over_llama_cpp_f16"].median == 2
    assert len(ratios) == 4


def test_the_peers_model_has_the_size_of_what_a_token_of_nano_uses(tmp_path):
    save_llama(tmp_path)
    figures = parameters()
    assert 0.95 < figures["llama"] / figures["nano_active"] < 1.05
    assert (tmp_path / "chat_template.jinja").read_text().startswith("<|begin|>")


def test_everybody_takes_part(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.serving.peers.contenders.write_missing", lambda *_: None)
    names = [one.name for one in contenders(tmp_path, 2)]
    assert names == [
        "ours_int8",
        "ours_bf16",
        "llama_cpp_f16",
        "llama_cpp_q8_0",
        "llama_cpp_q4_0",
        "llama_cpp_q8_0_cache_q8_0",
        "transformers",
        "transformers_continuous",
    ]
