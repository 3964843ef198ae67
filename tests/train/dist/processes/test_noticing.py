"""Which errors of torch tell that another process has gone: gloo raises plain ones for that and for all else."""

from __future__ import annotations

import re

import pytest
import torch.distributed as dist

from tuili.train.dist.group import ReplicaDied
from tuili.train.dist.processes.noticing import noticing_loss

PAIR = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] "
BUFFER = "[/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] "


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (PAIR, "Connection closed by peer [127.0.0.1]:37095. This is typically caused by a remote worker crashing."),
        (PAIR, "Read error [127.0.0.1]:1693: Connection reset by peer"),
        (PAIR, "writev [127.0.0.1]:1693: Broken pipe"),
        (BUFFER, "Timed out waiting 28000ms for recv operation to complete"),
        ("", "Application timeout caused pair closure"),
        ("", f"Gloo connectFullMesh failed with {PAIR}timed out connecting: SO_ERROR: Connection refused"),
    ],
)
def test_lost_connections_are_known_by_what_gloo_says(place: str, said: str) -> None:
    told = f"another process has ended or does not answer ({said.partition('. This is')[0]})"
    with pytest.raises(ReplicaDied, match=f"^{re.escape(told)}$"), noticing_loss():
        raise RuntimeError(place + said)


def test_errors_of_torch_s_own_kinds_are_losses() -> None:
    with pytest.raises(ReplicaDied), noticing_loss():
        raise dist.DistNetworkError("Failed to recv, got 0 bytes. Connection was likely closed.")


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at /pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:456] op.preamble.length <= op.nbytes. 8 "
        "vs 6. Received data size doesn't match expected size",
        "ProcessGroupGloo::allgather: invalid tensor size at index 1",
        "[/pytorch/third_party/gloo/gloo/context.cc:43] Backing context not fully connected",
        "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)",
    ],
)
def test_faults_of_the_program_stay_what_they_are(said: str) -> None:
    error = RuntimeError(said)
    with pytest.raises(RuntimeError) as caught, noticing_loss():
        raise error
    assert caught.value is error
