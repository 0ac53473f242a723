"""Sequences in one cache of llama.cpp: decoded, copied and removed; logits only at places that are read."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.llama_cpp.library import last_error, library, usable_threads
from bench.engines.llama_cpp.model import Model
from bench.engines.llama_cpp.settings import LlamaSettings
from bench.errors import BenchError
from bench.types import Tokens

DECODED = 512
"""Tokens that are decoded at a time."""
READ = 64
"""Rows of logits that are kept at a time, and so the most sequences of a cache."""
_NO_ROOM = 1
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Room:
    """The sequences of a cache: sequence 0 is a prefix, `stems` follow, then `rows`."""

    stems: int
    rows: int

    @property
    def sequences(self) -> int:
        return 1 + self.stems + self.rows


USUAL = Room(stems=16, rows=READ - 17)
FEW = Room(stems=4, rows=11)
"""For models whose sequences have a state each, which may take many megabytes."""


class CacheFull(MemoryError):
    """The cache has no room for a batch, or there is no memory for the cache."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of sequence `sequence` from position `start` on; logits are read at the offsets `read`."""

    sequence: int
    start: int
    tokens: Tokens
    read: tuple[int, ...] = ()


class Cache:
    """The keys and values of several sequences with at most `cells` tokens in all.

    A token that several sequences share takes one cell. Nothing is ever moved out of the cache.
    """

    def __init__(self, model: Model, settings: LlamaSettings, cells: int, room: Room) -> None:
        llama = library()
        self.model, self.cells, self.room = model, cells, room
        self.words = int(llama.llama_vocab_n_tokens(model.vocabulary))
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_seq_max = cells, self.room.sequences
        params.n_batch = params.n_ubatch = DECODED
        params.n_outputs_max = READ
        params.n_threads = params.n_threads_batch = settings.threads or usable_threads()
        params.type_k = params.type_v = getattr(llama, f"GGML_TYPE_{settings.cache.upper()}")
        if not llama.llama_supports_gpu_offload():
            # On a CPU this kernel adds in 16 bits, which moves log-probabilities by 0.002.
            params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.kv_unified = True
        params.swa_full = True  # of a window alone, a prefix could not be used again
        params.no_perf = True
        last_error()
        self.handle = llama.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise CacheFull(f"llama.cpp cannot make a cache of {cells} tokens: {last_error()}")
        self.memory = llama.llama_get_memory(self.handle)
        self.batch: Any = llama.llama_batch_init(DECODED, 0, 1)
        self.prefix: Tokens = ()

    def decode(self, parts: Sequence[Part]) -> Iterator[Logits]:
        """Decode the parts together; yields the logits (vocabulary,) of what they read, in their order.

        Each array is valid until the next. Raises CacheFull where the cache has no room for the tokens.
        """
        waiting = [
            (part.sequence, part.start + offset, token, offset in part.read)
            for part in parts
            for offset, token in enumerate(part.tokens)
        ]
        while waiting:
            count = self._how_many([read for *_, read in waiting])
            now, waiting = waiting[:count], waiting[count:]
            self._decode(now)
            for at, (*_, read) in enumerate(now):
                if read:
                    yield self._logits(at)

    def _decode(self, tokens: Sequence[tuple[int, int, int, bool]]) -> None:
        batch = self.batch
        batch.n_tokens = len(tokens)
        for at, (sequence, position, token, read) in enumerate(tokens):
            batch.token[at] = token
            batch.pos[at] = position
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = sequence
            batch.logits[at] = read
        last_error()
        result = library().llama_decode(self.handle, batch)
        if result == _NO_ROOM:
            raise CacheFull(f"a cache of {self.cells} tokens has no room for {len(tokens)} more")
        if result:
            raise BenchError(f"llama.cpp cannot compute a batch (code {result}): {last_error()}")

    def _how_many(self, read: Sequence[bool]) -> int:
        """How many of the next tokens are decoded together; at most READ of them are read."""
        most = int(library().llama_n_batch(self.handle))  # it may be less than DECODED
        reads = 0
        for at, is_read in enumerate(read[:most]):
            reads += is_read
            if reads > READ:
                return at
        return min(len(read), most)

    def _logits(self, at: int) -> Logits:
        pointer = library().llama_get_logits_ith(self.handle, at)
        return np.ctypeslib.as_array(pointer, (self.words,))

    def begin(self, prefix: Tokens) -> None:
        """Make `prefix` sequence 0, and keep no other."""
        if prefix and prefix == self.prefix:
            for sequence in range(1, self.room.sequences):
                self.remove(sequence)
            return
        library().llama_memory_clear(self.memory, ctypes.c_bool(False))
        self.prefix = ()
        for _ in self.decode([Part(0, 0, prefix)]):
            pass
        self.prefix = prefix

    def remove(self, sequence: int) -> None:
        library().llama_memory_seq_rm(self.memory, sequence, -1, -1)

    def copy(self, source: int, target: int) -> None:
        """Let sequence `target` begin with all of `source`."""
        library().llama_memory_seq_cp(self.memory, source, target, -1, -1)

    def close(self) -> None:
        library().llama_batch_free(self.batch)
        library().llama_free(self.handle)


@dataclass(slots=True)
class Caches:
    """The cache that is in use, made anew where a batch needs a larger one.

    It has room for `usual` cells, so that one more question in a later batch does not cost the prefix again.
    """

    model: Model
    settings: LlamaSettings
    usual: int
    current: Cache | None = None

    @property
    def room(self) -> Room:
        return FEW if self.model.is_special else USUAL

    def open(self, cells: int, prefix: Tokens) -> Cache:
        """A cache with room for `cells` tokens beside the prefix, which it begins with."""
        cells += len(prefix)
        cache = self.current
        if cache is None or cache.cells < cells:
            self.close()
            cache = self.current = self._make(len(prefix) + self.usual, cells)
        cache.begin(prefix)
        return cache

    def _make(self, usual: int, needed: int) -> Cache:
        """A cache of the usual size, or of the needed one where that is larger or memory is short."""
        if usual > needed:
            with suppress(CacheFull):
                return Cache(self.model, self.settings, usual, self.room)
        return Cache(self.model, self.settings, needed, self.room)

    def close(self) -> None:
        if self.current is not None:
            self.current.close()
            self.current = None
