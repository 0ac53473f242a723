"""Whether a server read all of a prompt: some cut what is longer than their context, and answer all the same.

The server's count of tokens tells. A text alone is compared with its two halves, and a chat with its messages
one by one, each of them counted once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

SLACK = 4
"""Tokens by which parts may differ from the whole."""
RATIO = 1.25
"""How many times the usual characters a token may have before a count is checked."""


@dataclass
class Cuts:
    """`count` asks the server for the number of tokens of a text alone, as one message where it is a chat."""

    count: Callable[[str], int | None]
    whole: int = 0
    """The highest count of a prompt that was read whole."""
    characters: float = 0.0
    """Those of a token in the last part of that prompt."""
    template: int = 0
    """Tokens of that prompt that are in none of its messages."""
    counted: dict[str, int] = field(default_factory=dict[str, int])
    lock: Lock = field(default_factory=Lock)

    def is_cut(self, parts: Sequence[str], tokens: int) -> bool:
        """Whether a prompt of which the server counted `tokens` was cut.

        `parts` are its messages, or its whole text.
        """
        *before, last = parts
        with self.lock:
            known = sum(map(self._tokens, before))
            rest = tokens - known - (self.template if before else 0)
            usual = len(last) <= RATIO * self.characters * max(0, rest)
            if usual and (before or tokens <= self.whole):
                return False
            own = self._tokens(last) if before else self._of_halves(last)
            if tokens < known + own + self.template - SLACK:
                return True
            if tokens >= self.whole:
                self.whole, self.characters = tokens, len(last) / max(1, own)
                self.template = max(self.template, tokens - known - own) if before else 0
            return False

    def _of_halves(self, text: str) -> int:
        middle = text.find(" ", len(text) // 2)
        at = middle if middle > 0 else len(text) // 2
        return self._tokens(text[:at]) + self._tokens(text[at:])

    def _tokens(self, text: str) -> int:
        """The tokens of a text, without those that the server adds."""
        if text not in self.counted:
            self.counted[text] = max(0, (self.count(text) or 0) - self._around)
        return self.counted[text]

    @cached_property
    def _around(self) -> int:
        """Tokens that the server adds to a text."""
        return max(0, (self.count("a") or 1) - 1)
