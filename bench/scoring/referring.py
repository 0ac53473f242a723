"""Which options speak of other options: "all of the above", "A and C". By words in four languages."""

import re
from collections.abc import Set as AbstractSet
from unicodedata import normalize

_WORD = re.compile(r"\w+")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
_WITHIN = re.compile(
    r"^(?:all|none|both|any|either|neither) of the above\b|\b(?:all|none|both|any) of the above\W*$"
)
"""The rest of an option may name what they are: "all of the above drugs", "give all of the above"."""


def _words(text: str) -> AbstractSet[str]:
    return frozenset(text.split())


_HOW_MANY = _words(
    "all none both neither either any everything nothing"
    " todas todos todo ninguna ninguno ambas ambos toutes tous aucune aucun alle keine keiner beide beides"
)
"""Each of these alone speaks of other options."""
_OTHERS = _words(
    "above below preceding previous following others these those them options answers choices statements"
    " listed mentioned anteriores anterior respuestas opciones demás otras otros précédentes précédents"
    " réponses propositions dessus antworten aussagen genannten obigen anderen"
)
_ONE = _words(
    "only alone not except but same option answer choice statement solo sólo solamente excepto salvo menos"
    " respuesta opción seulement sauf réponse proposition nur außer antwort aussage"
)
"""What makes of a single letter a name."""
_RIGHT = _words(
    "correct true right incorrect false wrong correcta correctas cierta ciertas verdadera verdaderas falsa"
    " falsas incorrecta incorrectas exacte exactes vraie vraies correcte correctes juste justes fausse"
    " fausses richtig falsch korrekt"
)
_OTHER_WORDS = _words(
    "of the and or nor given other alternatives as more than one two three four five six"
    " de del la las lo los el y o u e no ni que des ces les le l n ne et ou autres ci"
    " der die das den von oben und oder sowohl als auch weder noch"
)
_IS = _words("is are es son est sont ist sind")
_KNOWN = _HOW_MANY | _OTHERS | _ONE | _RIGHT | _IS | _OTHER_WORDS


def refers_to_others(option: str, letters: str) -> bool:
    """Whether an option of a question with these letters speaks of other options or of letters.

    So it does if it consists of nothing but words of that kind and of letters, in English, Spanish, French or
    German. Numbers name other options only beside such words: "1 and 3 are correct", not "1 and 3".
    """
    text = normalize("NFC", option).casefold().strip()
    if _WITHIN.search(text):
        return True
    words = _WORD.findall(text)
    named = [word for word in words if len(word) == 1 and word in letters.casefold()]
    numbered = [word for word in words if word in _numbers(len(letters))]
    if not all(word in _KNOWN or word in named or word in numbered for word in words):
        return False
    has = frozenset(words)
    by_letter = len(named) > 1 or (named and has & _ONE)
    by_number = numbered and has & (_ONE | _IS)
    return bool(has & (_HOW_MANY | _OTHERS) or by_letter or by_number)


def _numbers(options: int) -> AbstractSet[str]:
    """The numbers of so many options, in Arabic and Roman digits."""
    return frozenset([*map(str, range(1, options + 1)), *_ROMAN[:options]])
