"""The seeds of sampled replies."""

import hashlib

from bench.types import GenerateRequest


def seed_of(request: GenerateRequest, sample: int) -> int:
    """A seed made of the request's seed, its prompt and the number of the sample."""
    text = f"{request.seed}\n{sample}\n{request.prompt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])
