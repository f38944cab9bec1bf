"""One seed a stream and epoch, so that no two streams of a run share their draws and a resumed epoch draws what it would have drawn."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, stream: str, epoch: int) -> int:
    """Derive the seed of one stream (``weights``, ``order``, ``dropout``, ``augmentation``) in one epoch; 63 bits."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
