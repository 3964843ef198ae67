"""Packed gradients between processes: all go on with the same bits, which are those of a simulation in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.native.calling import library
from tests.native.training import codec_twin
from tests.train.dist.gradients import packed_ranks as ranks
from tuili.train.dist.gradients.baselines import half_scale
from tuili.train.dist.gradients.codec import PackedSettings, parts_of
from tuili.train.dist.gradients.hooks import GradientConfig


@pytest.fixture(autouse=True)
def has_library() -> None:
    library()


class Simulated:
    """The same algorithm in one process: of each tensor, the errors of all processes."""

    def __init__(self, settings: PackedSettings, world_size: int) -> None:
        self.settings, self.world_size, self.rounds = settings, world_size, 0
        self.errors: list[np.ndarray] = []
        self.mean_errors: np.ndarray = np.zeros(0, np.float32)

    def average(self, of_ranks: list[np.ndarray]) -> np.ndarray:
        keep, count = self.settings.keep, of_ranks[0].size
        if self.rounds % self.settings.reset == 0:
            *self.errors, self.mean_errors = np.zeros((self.world_size + 1, count), np.float32)
        mean_N = np.empty(count, np.float32)
        for part in parts_of(count, self.world_size):
            mean_P = np.zeros(part.stop - part.start, np.float32)
            for rank, number_N in enumerate(of_ranks):
                message, after_P = self.encode(number_N[part], self.errors[rank][part], rank)
                mean_P = mean_P + codec_twin.decode(message, 1 / self.world_size)
                if keep is not None:
                    self.errors[rank][part] = after_P
            message, after_P = self.encode(mean_P, self.mean_errors[part], self.world_size)
            mean_N[part] = codec_twin.decode(message)
            if keep is not None:
                self.mean_errors[part] = after_P
        self.rounds += 1
        return mean_N

    def encode(self, number_P: np.ndarray, error_P: np.ndarray, place: int) -> tuple[bytes, np.ndarray | None]:
        settings = self.settings
        seed = self.rounds * (self.world_size + 1) + place if settings.rotate else None
        without = settings.keep is None
        return codec_twin.encode(
            number_P, settings.bits, seed, None if without else error_P, settings.keep or 0.0, settings.clip
        )


@pytest.mark.parametrize(
    ("world_size", "settings"),
    [(2, PackedSettings(3)), (3, PackedSettings(3, True, 0.9, 0.8, reset=3))],
    ids=["two, plain", "three, rotated, with errors"],
)
def test_all_have_the_mean_of_the_simulation(tmp_path: Path, world_size: int, settings: PackedSettings) -> None:
    """Also where some go on from what they saved."""
    first, *others = ranks.run_ranks(tmp_path, world_size, ranks.average_rounds, settings)
    simulated = {count: Simulated(settings, world_size) for count in ranks.COUNTS}
    for round_number in range(ranks.ROUNDS):
        for count in ranks.COUNTS:
            key = f"{round_number}/{count}"
            given = [ranks.gradients_of(rank, round_number, count).numpy() for rank in range(world_size)]
            np.testing.assert_array_equal(first[key].numpy(), simulated[count].average(given), key)
            for other in others:
                np.testing.assert_array_equal(other[key].numpy(), first[key].numpy())
    assert np.isnan(first["3/1500"].numpy()).sum() == 256


def test_parts_are_whole_blocks_and_about_equal() -> None:
    for count in (0, 1, 256, 1500, 10_000):
        for world_size in (1, 2, 3, 7):
            parts = parts_of(count, world_size)
            assert [n for part in parts for n in range(count)[part]] == list(range(count))
            blocks = [-(-(part.stop - part.start) // 256) for part in parts]
            assert max(blocks) - min(blocks) <= 1
            assert all(part.start % 256 == 0 for part in parts if part.start < count)


MIXTURES = [
    *((GradientConfig(form=form), 25.0, True) for form in ("fp32", "fp16", "2bit", "3bit", "8bit")),
    (GradientConfig(form="powersgd", rank=2, start=2), 25.0, True),
    (GradientConfig(form="3bit", rotate=True, keep_errors=0.8), 0.001, False),
]
"""Of the last one, gradients are in several buckets, which change after the first step."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """What the same two processes have trained, one mixture after another."""
    library()
    return ranks.run_ranks(tmp_path_factory.mktemp("ddp"), 2, ranks.train_each, MIXTURES)


@pytest.mark.parametrize("place", range(len(MIXTURES)), ids=[str(config.form) for config, _, _ in MIXTURES])
def test_replicas_of_ddp_stay_the_same_bits(trained: list[dict[str, torch.Tensor]], place: int) -> None:
    config = MIXTURES[place][0]
    one, two = ({name.removeprefix(f"{place}/"): value for name, value in of_rank.items()} for of_rank in trained)
    start = ranks.small_model().state_dict()
    for name, weight in start.items():
        assert torch.equal(one[name], two[name]), name
        assert not torch.equal(one[name], weight), name
    plain = {name.removeprefix("0/"): value for name, value in trained[0].items()}
    is_plain = all(torch.equal(one[name], plain[name]) for name in start)
    assert is_plain == (config.form == "fp32")
    if config.form == "powersgd":  # it has come to its matrices
        assert one["state/0:p"].any()
    if config.keep_errors is not None:
        state = [name for name in one if name.startswith("state/")]
        buckets = {name.split("/")[1] for name in state}
        assert len(buckets) > 1
        assert len([name for name in state if name.endswith(":errors")]) == len(buckets)  # old names are forgotten


def test_ddp_gives_the_gradients_of_the_simulation(tmp_path: Path) -> None:
    config = GradientConfig(form="3bit", rotate=True, keep_errors=0.5)
    one, _ = ranks.run_ranks(tmp_path, 2, ranks.train_ddp, config, 25.0, True)
    simulated = Simulated(PackedSettings(3, True, keep=0.5), 2)
    model = ranks.small_model()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for step in range(ranks.STEPS):
        given = []
        for rank in range(2):
            optimizer.zero_grad()
            ranks.loss_of(model, rank, step).backward()
            given.append(torch.cat([p.grad.view(-1) for p in model.parameters()]).numpy())
        mean = torch.from_numpy(simulated.average(given))
        for parameter in model.parameters():
            parameter.grad = mean[: parameter.numel()].view_as(parameter).clone()
            mean = mean[parameter.numel() :]
        optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(one[f"gradient/{name}"], parameter.grad, rtol=0, atol=0)


def test_islands_of_fsdp_average_their_shards(tmp_path: Path) -> None:
    (tmp_path / "fp32").mkdir()
    config = GradientConfig(form="8bit")
    packed = ranks.run_ranks(tmp_path, 4, ranks.train_islands, config)
    alone = ranks.run_ranks(tmp_path / "fp32", 4, ranks.train_islands, GradientConfig())
    model = ranks.small_model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(ranks.STEPS):
        optimizer.zero_grad()
        sum((ranks.loss_of(model, rank, step) / 4 for rank in range(4)), torch.zeros(())).backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert all(torch.equal(packed[0][name], other[name]) for other in packed)
        assert not torch.equal(alone[0][name], alone[2][name])
        torch.testing.assert_close(packed[0][name], parameter.detach(), rtol=0, atol=2e-3)


def test_what_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    ranks.run_ranks(tmp_path, 2, ranks.refuse, str(tmp_path))
    assert (tmp_path / "0.txt").read_text().splitlines() == [
        "gradients of a: torch.bfloat16 on cpu, and only contiguous fp32 on the CPU can be packed",
        "gradients of b: torch.float32 on cpu, and only contiguous fp32 on the CPU can be packed",
        "train.dist.gradients.form = 3bit: only numbers on the CPU can be packed: use fp32",
        "errors of a: (600, 256) in place of (700, 256): go on with the same processes, model and settings",
        "bits = 5: the codec has 2, 3, 4 and 8",
    ]


def test_halves_keep_what_is_small(tmp_path: Path) -> None:
    """In fp16 as it is, 1e-8 would be 0, and 1e30 infinite."""
    for halves in ranks.run_ranks(tmp_path, 2, ranks.average_halves):
        expected = torch.tensor([1.5e-8, 1e-3, 1.0, 0.0])
        torch.testing.assert_close(halves["numbers"], expected, rtol=1e-3, atol=0)
        torch.testing.assert_close(halves["large"], expected * 1e30, rtol=1e-3, atol=0)
        assert halves["spoilt"].isnan().all()
        assert not halves["nothing"].any()


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 6, 7, 16, 100])
def test_halves_of_any_number_of_processes_add_up_to_finite_numbers(processes: int) -> None:
    """Also where the largest numbers of all stand in the same place, and are rounded up."""
    for most in (65504 / processes, 1.0, 1e-30, 3e38 / processes):
        half = torch.tensor(most * half_scale(most, processes)).half()
        total = half.clone()
        for _ in range(processes - 1):
            total += half
        assert total.isfinite()
        assert total > 65504 / 4.2


def test_settings_without_effect_are_refused() -> None:
    with pytest.raises(
        ValidationError, match="rotate, clip, precondition and keep_errors go with packed gradients, and form = fp16"
    ):
        GradientConfig(form="fp16", rotate=True)
    with pytest.raises(ValidationError, match="form = fp32"):
        GradientConfig(keep_errors=0.0)
    with pytest.raises(ValidationError, match="rank is that of PowerSGD's matrices, and form = 3bit"):
        GradientConfig(form="3bit", rank=2)
    with pytest.raises(ValidationError, match="reset_errors goes with keep_errors, and that is null"):
        GradientConfig(form="3bit", reset_errors=10)
    with pytest.raises(ValidationError, match="precondition and keep_errors: what was lost was divided by other mom"):
        GradientConfig(form="3bit", precondition=True, keep_errors=0.8)
    assert GradientConfig(form="3bit").bits == 3
    assert GradientConfig().bits is None


def test_weights_that_are_gathered_are_what_each_has_sent(tmp_path: Path) -> None:
    """The numbers that all compute with are those of the messages of all, also of their own share."""
    of_ranks = ranks.run_ranks(tmp_path, 2, ranks.gather_weights)
    for number in range(3):
        names = ("weight", "bias")
        shares = [[of_rank[f"{number}/{name}/share"] for name in names] for of_rank in of_ranks]
        room = [max(len(of_rank[place]) for of_rank in shares) for place in range(2)]  # the last one is filled up
        sent = list[list[torch.Tensor]]()
        for of_rank in shares:
            filled = [torch.zeros(rows, *share.shape[1:]) for rows, share in zip(room, of_rank, strict=True)]
            for place, share in zip(filled, of_rank, strict=True):
                place[: len(share)] = share
            flat = np.concatenate([place.flatten().numpy() for place in filled])
            message, _ = codec_twin.encode(flat, 8, None, None, 0.0, 1.0)
            numbers = torch.from_numpy(codec_twin.decode(message))
            parts = numbers.split([place.numel() for place in filled])
            sent.append([part.view_as(place)[: len(share)]
                         for part, place, share in zip(parts, filled, of_rank, strict=True)])  # fmt: skip
        for place, name in enumerate(names):
            expected = torch.cat([of_rank[place] for of_rank in sent])
            for of_rank in of_ranks:
                assert torch.equal(of_rank[f"{number}/{name}/whole"], expected), name
