"""Whether a server read all of a prompt: some cut what is longer than their context, and answer all the same.

The count of tokens in an answer tells. A count that is not above that of a prompt known to be whole is of a
whole prompt too; a higher one is checked by asking for both halves of the prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

SLACK = 4
"""Tokens by which two halves may differ from the whole."""
RATIO = 1.5
"""How many times the usual characters a token may have before a count is checked."""


@dataclass(slots=True)
class Cuts:
    """`count` asks the server for the number of tokens of a text alone, as one message where it is a chat;
    None where it does not say.
    """

    count: Callable[[str], int | None]
    whole: int = 0
    """The highest count of a prompt that was read whole."""
    characters: float = 0.0
    """Those of a token in that prompt."""
    around: int | None = None
    """Tokens that the server adds to a text."""
    lock: Lock = field(default_factory=Lock)

    def is_cut(self, text: str, tokens: int | None) -> bool:
        """Whether a prompt of which the server counted `tokens` was cut; False where it does not count."""
        if tokens is None or not text:
            return False
        with self.lock:
            usual = len(text) / max(1, tokens) <= RATIO * self.characters
            if tokens <= self.whole and usual:
                return False
            if self._is_shorter_than_halves(text, tokens):
                return True
            if tokens > self.whole:
                self.whole, self.characters = tokens, len(text) / max(1, tokens)
            return False

    def _is_shorter_than_halves(self, text: str, tokens: int) -> bool:
        if self.around is None:
            shortest = self.count("a")
            self.around = max(0, (shortest or 1) - 1)
        middle = text.find(" ", len(text) // 2)
        at = middle if middle > 0 else len(text) // 2
        first, second = self.count(text[:at]), self.count(text[at:])
        if first is None or second is None:
            return False
        return tokens < first + second - 2 * self.around - SLACK
