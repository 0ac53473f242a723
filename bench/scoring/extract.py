"""Read the answer from a generated reply.

The rules are tried from the most to the least reliable (`_final_claim`), and none of them guesses: a reply
that names no answer, or two, has none. `reply.py` finds where options are named.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.scoring.reply import VERB, Reply, labelled, named, pattern, plain_reply, skip
from bench.types import ReadStatus


@dataclass(frozen=True, slots=True)
class Reading:
    """`answer` is a letter, or None, and then `status` says why.

    `reasoning` is the text before the answer, with the contents of <think> blocks. Where there is none, it
    is the text after the answer; without an answer, it is the whole text.
    """

    reasoning: str
    answer: str | None
    status: ReadStatus


@dataclass(frozen=True, slots=True)
class _Claim:
    """The text from `start` to `end` says that `letters` are the answer or, if `denied`, not.

    A claim that is not `firm`, such as "A is correct", may be made about several options.
    """

    start: int
    end: int
    letters: str
    denied: bool = False
    firm: bool = True


def read_answer(text: str, options: Sequence[str], *, finished: bool = True) -> Reading:
    """The answer of a reply, and its reasoning. `finished` is False where the token limit ended it."""
    thoughts, answer_text = _thoughts_and_reply(text)
    reply = plain_reply(answer_text, options)
    claim = _final_claim(reply, finished=finished)
    if claim is None:
        return Reading(_join(*thoughts, answer_text), None, "no_answer" if finished else "unfinished")
    if len(claim.letters) > 1:
        return Reading(_join(*thoughts, answer_text), None, "several_answers")
    return Reading(_join(*thoughts, _reasoning(answer_text, claim)), claim.letters, "parsed")


def _final_claim(reply: Reply, *, finished: bool) -> _Claim | None:
    statements, verdicts = list(_statements(reply)), list(_verdicts(reply))
    denials = [claim for claim in (*statements, *verdicts) if claim.denied]
    claims = (
        _last(statements),  # before a letter at the start: an explanation may arrive at another answer
        _alone(reply, 0),
        _opening(reply),
        _last(verdicts),  # after it: "B is correct" may be about a part of the explanation
        # The last line of a reply that was cut off may be the first word of a sentence.
        _closing(reply) if finished else None,
    )
    return next((claim for claim in claims if claim and not _withdrawn(claim, denials)), None)


def _last(claims: Sequence[_Claim]) -> _Claim | None:
    """Models correct themselves, so the last firm claim counts. Without one, all others count together."""
    affirmed = [claim for claim in claims if not claim.denied]
    firm = [claim for claim in affirmed if claim.firm]
    if firm or not affirmed:
        return firm[-1] if firm else None
    letters = sorted({letter for claim in affirmed for letter in claim.letters})
    return _Claim(affirmed[-1].start, affirmed[-1].end, "".join(letters))


def _withdrawn(claim: _Claim, denials: Sequence[_Claim]) -> bool:
    return any(claim.start < denial.start and set(claim.letters) <= set(denial.letters) for denial in denials)


_TAG = pattern(r"<(/?)(?:think|thinking|reasoning)>")
_OPENING_MARKS = pattern(
    r"(?:\A|(?<=\s))[*_`#>$\\\"'“‘(\[{<-]*(?:(?:the |final ){0,3}answer[*_]{0,2}:[*_]{0,2})?\Z"
)
_CLOSING_MARKS = pattern(r"(?:</?[|\w]{1,20}>|[^\w\s(])*\s*(?:[-–—:]\s+)?")


def _thoughts_and_reply(text: str) -> tuple[list[str], str]:
    """(contents of <think> blocks, reply after them). A closing tag alone also ends a block: chat templates
    may open it in the prompt.
    """
    parts = _TAG.split(text)
    texts, slashes = parts[::2], parts[1::2]
    closed = not slashes or slashes[-1] == "/"
    return (texts[:-1], texts[-1]) if closed else (texts, "")


def _join(*parts: str) -> str:
    return "\n\n".join(stripped for part in parts if (stripped := part.strip()))


def _reasoning(text: str, claim: _Claim) -> str:
    """The text before the claim, or after it where there is none, without the marks around the claim."""
    before = _OPENING_MARKS.sub("", text[: claim.start].rstrip(), count=1).strip()
    return before if re.search(r"\w", before) else text[skip(_CLOSING_MARKS, text, claim.end) :]


_RIGHT = r"(?:my|correct|right|best|final|likely|probable|appropriate|accurate|suitable|chosen|selected)\b"
_QUALITY = rf"(?:the|our|only|single|overall|most|{_RIGHT})\b"
_EMPTY = (
    rf"(?:{_QUALITY}|(?:probably|definitely|clearly|certainly|indeed|simply|actually|then"
    r"|options?|choices?|letters?|answers?|either|both|also|it|is|it's|that|be|would|must|rather|instead)\b)"
)
_NEGATION = r"(?:n't\b|can't\b|\b(?:not|cannot|never|neither|no\s+longer)\b)"
# "Could be" is no statement; "cannot be" is.
_IS = (
    r"(?:(?:(?:is|are|was)(?:n't)?|(?:would|should|must|will)(?:n't|\s+not)?\s+be"
    r"|(?:can|could)(?:n't|'t|\s?not)\s+be|(?:has|seems|appears)\s+to\s+be)\b)"
)
_BECAUSE = r"\s+(?:because|since|as|due)\b"
_SO = r"(?:so|thus|therefore|hence|consequently|accordingly|in\s+conclusion)\b"
_STATEMENT = pattern(
    rf"(?:\b{_SO}[\s,:]{{1,4}})?(?:\b{_QUALITY}\s{{1,4}}){{0,6}}(?:"
    rf"(?<!/)(?:\bans(?:wers?)?(?:\s+(?:choice|option|letter))?|\b(?<!least\s)(?<!less\s){_RIGHT}\s+(?:choice|option|response"
    # "The most likely diagnosis is B".
    rf"|(?:[a-z]{{1,20}}\s+){{0,4}}?[a-z]{{1,20}}(?=\s+{_IS})))"
    r"(?:\s{0,6}(?:[:=→>]|->)|\s+[-–](?=\s)"
    r"|(?:\s+(?:to|for|of|in|among|from|here|that|based|given)\b[^.:\n]{0,80}?|,[^.,:\n]{0,40},)?"
    rf"\s+(?P<verb>{_IS}))(?:[\s:]{{0,9}}\\boxed\b)?"
    rf"|^[ \t#>]{{0,12}}(?:{_QUALITY}\s+){{0,3}}answer[ \t]{{0,8}}\n"
    r"|\b(?:I|we|let's)(?P<choose>(?:'\w+)?\s+(?:[a-z']{1,12}\s+){0,3}?"
    r"(?:choose|chose|pick(?:ed)?|select(?:ed)?|go(?:ing)?\s+with|opt\s+for|settle\s+on|say|answer"
    r"|(?:think|believe)\s+(?:that\s+)?it(?:'s|\s+is)))\b"
    rf"|(?:\A|(?<=[.!?\n]))\s{{0,4}}it(?:'s|\s+is)\s+(?=\(?[A-Z]\)?(?:[.,;!]|\s*\Z|{_BECAUSE}))"
    r"|\\boxed\b|^####(?=[^\n]{1,12}\s*\Z))"
)
_FILLER = pattern(
    rf"[\s:,=>(–-]{{0,8}}(?:(?:{_EMPTY}|{_SO}|{_NEGATION}|I\s+(?:think|believe)\b)[\s:,(]{{0,4}}){{0,6}}"
)
_NOT = pattern(_NEGATION)
_BUT = pattern(r"[\s,;)]{0,4}\bbut\b(?!\s+also)")
# "The answer is B?" is a question, and "I would say B is unlikely" continues.
_NOT_STATED = pattern(rf"[\s).]{{0,4}}\?|\)?[ \t]+{VERB}")
_DOUBT = pattern(
    r"(?:\b(?:if|whether|unless|suppos(?:e|ing)|assum(?:e|ing)|doubt|wrong|incorrect|false|other|another|possible)"
    rf"|{_NEGATION}(?:\s+\w+)?)(?:\s+that)?[\s(]*\Z"
)


def _statements(reply: Reply) -> Iterator[_Claim]:
    """Claims about the answer: "Answer: C", "I choose C", a LaTeX box, "#### C". The option's text may stand
    for the letter.
    """
    for cue in _STATEMENT.finditer(reply.text):
        claim = _statement(reply, cue)
        hedged = _is_doubted(reply, claim) or _NOT_STATED.match(reply.text, claim.end)
        if claim.letters and not hedged and (cue["verb"] or not _heads_list(reply, claim)):
            yield claim


def _statement(reply: Reply, cue: re.Match[str]) -> _Claim:
    words, (letters, end) = cue["verb"] or cue["choose"] or "", named(reply, cue.end())
    if not letters:
        place = skip(_FILLER, reply.text, cue.end())
        words, (letters, end) = words + reply.text[cue.end() : place], named(reply, place)
    denied = bool(_NOT.search(words))
    if denied and (but := _BUT.match(reply.text, end)):
        instead, stop = named(reply, skip(_FILLER, reply.text, but.end()))
        if instead:
            return _Claim(cue.start(), stop, instead)
    return _Claim(cue.start(), end, letters, denied)


def _is_doubted(reply: Reply, claim: _Claim) -> bool:
    return bool(_DOUBT.search(reply.text[max(0, claim.start - 40) : claim.start]))


_SUBJECT = pattern(
    rf"(?:\b(?:(?P<so>{_SO})|(?:then|that|and|but|only|because|since|why|(?:I\s)?(?:think|believe|say))\b)"
    rf"|\A|(?<=[.!?;:,\n]))[\s,:(>#-]{{0,8}}(?:{_EMPTY}[\s:(]{{0,4}}){{0,4}}(?=\w)"
)
_VERDICT = pattern(
    rf"[).:]{{0,3}}\s+{_IS}(?:\s+not)?\s+(?:(?:{_EMPTY}|{_SO})\s+){{0,5}}(?:(?P<firm>(?:answer|choice|option)\b)"
    r"|(?:correct|right)(?=\s*(?:[.,;:!)]|\Z|(?:because|since|as|here|given|and)\b)|\s*\n))"
)
# The sentence has to end here: not "Thus, C. difficile …".
_STOP = pattern(r"[\s)]{0,4}(?:[.!](?!\s*(?-i:[a-z]))|\n|\Z)")


def _verdicts(reply: Reply) -> Iterator[_Claim]:
    """Claims about an option: "option C is the right answer", "so C is right", "Therefore, (C)."."""
    place = 0
    while subject := _SUBJECT.search(reply.text, place):
        letters, end = named(reply, subject.end())
        place = max(end, subject.start() + 1)
        claim = _Claim(subject.start(), end, letters, firm=bool(subject["so"]))
        if letters and not _is_doubted(reply, claim) and (verdict := _verdict(reply, claim)):
            yield verdict


def _verdict(reply: Reply, claim: _Claim) -> _Claim | None:
    judgement = _VERDICT.match(reply.text, claim.end)
    if judgement is None:
        return claim if claim.firm and _STOP.match(reply.text, claim.end) else None
    firm, denied = bool(judgement["firm"]), bool(_NOT.search(judgement[0]))
    # "B is not correct" is no denial: the question may ask for the wrong statement.
    if denied and not firm:
        return None
    return _Claim(claim.start, judgement.end(), claim.letters, denied, firm or claim.firm)


_START = pattern(r"[\s>#(-]{0,40}(?:(?:option|choice|answer|letter)\b[\s:]{0,3})?")
# "B) is wrong" continues, "B: wrong" is about one of several options, "C. difficile" is a name.
_LABEL_ENDS = pattern(
    rf"(?![).:]{{0,3}}\s+(?:{VERB}|and\b|or\b))"
    r"(?![).:;\s–—-]{1,6}(?:incorrect|wrong|false|not|no|unlikely|excluded|ruled)\b)"
    r"(?!(?-i:(?<=\b[A-Z])\.\s+(?!(?:because|since|as|the|this|that|it|its|in)\b)[a-z]))"
    r"\)?(?:[).:;!]|\s*(?:[-–]\s|—)|[ \t]*\n|,?\s*(?:because|since|as|due)\b)"
)


def _alone(reply: Reply, place: int) -> _Claim | None:
    """All of the text from `place` on names an option: "B", "(b)", "Option B", "B) Pancreas", "Pancreas"."""
    letters, end = named(reply, skip(_START, reply.text, place))
    return _Claim(place, end, letters) if letters and not re.search(r"\w", reply.text[end:]) else None


def _opening(reply: Reply) -> _Claim | None:
    """A label at the start, followed by an explanation: "B. Because …"."""
    letter, end = labelled(reply, skip(_START, reply.text, 0))
    claim = _Claim(0, end, letter)
    return claim if letter and _LABEL_ENDS.match(reply.text, end) and not _heads_list(reply, claim) else None


def _closing(reply: Reply) -> _Claim | None:
    """The last line is a label, but not the last line of a list of labels."""
    text = reply.text.rstrip()
    place = text.rfind("\n") + 1
    letter, _ = labelled(reply, skip(_START, text, place))
    above = text[:place].rstrip().rpartition("\n")[2]
    return _alone(reply, place) if letter and not _line_label(letter, -1).match(above) else None


def _heads_list(reply: Reply, claim: _Claim) -> bool:
    """Whether the next option's label follows: the reply lists the options, or discusses them one by one."""
    gap = r"[\s,;.]{0,6}|[^\n]{0,600}\n\s{0,6}"
    if (
        claim.letters[-1] == "A"
    ):  # a list begins with A; after another letter, "C. …" may explain why it is not C
        gap += r"|[^\n]{0,600}?[.;,]\s{1,4}"
    following = _line_label(claim.letters[-1], 1, gap).match(reply.text, claim.end)
    if following is None:
        return False
    text = reply.options.get(following["letter"].upper())
    return following["gap"].count("\n") == 1 or bool(text and text.match(reply.text, following.end()))


def _line_label(letter: str, step: int, gap: str = "") -> re.Pattern[str]:
    """Matches the label at the start of a line of the option that is `step` after this letter's."""
    label = rf"(?P<letter>{chr(ord(letter) + step)})(?:[).:]|\s*(?:\n|\Z))"
    return pattern(rf"(?P<gap>{gap})[\s(>#-]{{0,6}}(?:(?:option|choice)\s)?{label}")
