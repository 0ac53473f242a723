"""The tokenizer and chat template of a GGUF file, used as those of transformers are."""

import ctypes
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from bench.engines.llama_cpp.library import library
from bench.engines.llama_cpp.model import Model
from bench.errors import BenchError
from bench.types import Tokens

_CONTROL = ("bos", "eos", "eot", "sep", "pad")


class Tokenizer:
    """llama.cpp's tokenizer of a model. Names of special tokens in a text are read as these tokens."""

    is_fast = False
    """It has no pre-tokenizer of transformers, so prompts are always encoded whole."""
    unk_token_id = None

    def __init__(self, model: Model) -> None:
        self.model = model
        self.size = int(library().llama_vocab_n_tokens(model.vocabulary))

    def __call__(self, text: str | Sequence[str], add_special_tokens: bool = True) -> dict[str, Any]:
        """`input_ids` of a text, or a list of them for several texts."""
        if isinstance(text, str):
            return {"input_ids": self._encode(text, special=add_special_tokens)}
        return {"input_ids": [self._encode(one, special=add_special_tokens) for one in text]}

    def _encode(self, text: str, *, special: bool) -> list[int]:
        data = text.encode()
        room = len(data) + 8  # a byte gives at most one token; the rest is for special tokens
        tokens = (library().llama_token * room)()
        count = library().llama_tokenize(self.model.vocabulary, data, len(data), tokens, room, special, True)
        if count < 0:
            raise BenchError(f"llama.cpp makes more than {room} tokens of a text of {len(data)} bytes")
        return tokens[:count]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        tokens = (library().llama_token * len(ids))(*ids)
        room = 32 * len(ids) + 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = library().llama_detokenize(
                self.model.vocabulary, tokens, len(ids), buffer, room, False, not skip_special_tokens
            )
            if size >= 0:
                return buffer.raw[:size].decode("utf-8", "replace")
            room = -size

    def is_end(self, token: int) -> bool:
        """Whether the model writes this token at the end of an answer."""
        return bool(library().llama_vocab_is_eog(self.model.vocabulary, token))

    @cached_property
    def all_special_ids(self) -> list[int]:
        return sorted({token for name in _CONTROL if (token := self._control(name)) >= 0})

    def _control(self, name: str) -> int:
        return int(getattr(library(), f"llama_vocab_{name}")(self.model.vocabulary))

    @property
    def bos_token_id(self) -> int | None:
        token = self._control("bos")
        return token if token >= 0 else None

    @property
    def bos_token(self) -> str | None:
        return None if self.bos_token_id is None else self._name(self.bos_token_id)

    def _name(self, token: int) -> str:
        return library().llama_vocab_get_text(self.model.vocabulary, token).decode("utf-8", "replace")

    def convert_ids_to_tokens(self, ids: Tokens) -> list[str]:
        return [self._name(token) for token in ids]

    @cached_property
    def chat_template(self) -> str | None:
        text = library().llama_model_chat_template(self.model.handle, None)
        return text.decode() if text else None

    def get_chat_template(self) -> str | None:
        return self.chat_template

    def apply_chat_template(
        self,
        turns: list[dict[str, Any]],
        *,
        chat_template: str,
        add_generation_prompt: bool,
        tokenize: bool = False,
        **more: Any,
    ) -> str:
        """The turns as the template writes them; never in tokens."""
        assert not tokenize
        from transformers.utils.chat_template_utils import render_jinja_template

        ids = {name: self._control(name) for name in ("bos", "eos", "pad")}
        special = {f"{name}_token": self._name(token) for name, token in ids.items() if token >= 0}
        rendered, _ = render_jinja_template(
            [turns],
            chat_template=chat_template,
            add_generation_prompt=add_generation_prompt,
            **special,
            **more,
        )
        return rendered[0]
