"""The MinHash signature of a document: 128 bytes. The agreement of two signatures estimates how similar the texts are.

Shingles are runs of words, and a Han character is a word: pairs of words in English, pairs of characters in Chinese.
Each byte comes from the shingle that is first in the byte's own order, as in b-bit minwise hashing (Li and König, arXiv
0910.3349). `neighbours` looks documents up by their signatures.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.characters import INVISIBLE
from tuili.data.pipeline.kernels import kernels
from tuili.native import Hashes

HASHES, ROWS = 128, 4
"""The number of bytes in a signature, and in one of its bands."""
BANDS = HASHES // ROWS
DIGEST_BYTES = 8
Signature = NDArray[np.uint8]

_BY_CHANCE = 1 / 256
_REMOVED = str.maketrans("", "", INVISIBLE)


@cache
def _factors() -> Hashes:
    """Odd numbers, each of which gives all hashes another order [HASHES]."""
    digests = (blake2b(b"order %d" % number, digest_size=8).digest() for number in range(HASHES))
    return (np.frombuffer(b"".join(digests), "<u8") | np.uint64(1)).astype(np.uint64)


def signature_of(shingles: Hashes) -> Signature:
    """The signature of a set of shingles, given as at least one hash; repeated hashes do not matter [HASHES]."""
    first = kernels().least_products(shingles, _factors())
    first ^= first >> np.uint64(32)
    return ((first * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(56)).astype(np.uint8)


def similarity(signature: Signature, others: Signature) -> NDArray[np.float64]:
    """The estimated Jaccard similarity of a document to each of the others [others].

    The signatures of the others are [others, HASHES]. The standard error is √(J (1 - J) / 128), at most 0.044.
    """
    agreeing: NDArray[np.float64] = (others == signature).mean(axis=1)
    return (agreeing - _BY_CHANCE) / (1 - _BY_CHANCE)


def digest_of(text: str) -> bytes:
    """A hash of a text that is invariant to spacing and invisible characters."""
    if any(sign in text for sign in INVISIBLE):  # few texts have one, and replacing loops over all characters
        text = text.translate(_REMOVED)
    return blake2b(" ".join(text.split()).encode(), digest_size=DIGEST_BYTES).digest()
