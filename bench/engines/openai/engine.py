"""The engine of a model behind a server."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bench.engines.draws import seed_of
from bench.engines.engine import Opening
from bench.engines.openai.client import Refused, Server, TooLong
from bench.engines.openai.cuts import Cuts
from bench.engines.openai.place import Place
from bench.engines.openai.probe import ANY_TOKEN, ONE_TOKEN, Abilities, continued, echoed, likeliest, probe
from bench.engines.openai.scoring import letter_scores, text_scores
from bench.engines.openai.settings import check_access, settings_of
from bench.engines.openai.wire import Reply, Token
from bench.engines.replies import stop_at
from bench.errors import BenchError, OfItem
from bench.types import (
    Completion,
    Encoded,
    GenerateRequest,
    Message,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Scores,
    ServerFacts,
    Tokens,
    Tree,
    WrittenBatch,
)

T = TypeVar("T")
BATCH = 4
"""Questions of a batch for each request that may be sent at a time."""
ENOUGH = 8
"""Questions after which a model that lists no letter, or writes nothing, is said not to answer."""
DRAWS = 5
"""How often the likeliest tokens are asked for where none are listed."""
SEEDS = 1 << 31
"""Seeds of replies are smaller: servers keep them in 32 bits."""
NO_COUNT = "the server does not count tokens, so a prompt that it cut would not be noticed"
NO_LETTER = "the server lists no letter among the likeliest tokens"


@dataclass(slots=True)
class ServerEngine:
    """A model behind a server: it makes the tokens, and gives what `abilities` says.

    `window` is the longest prompt in tokens that is scored, None for no limit but the server's own.
    """

    server: Server
    place: Place
    version: str
    window: int | None
    path: str = ""
    reads: Reads = field(default="prompt")
    model_bytes: None = None
    counts_tokens: bool = True
    _abilities: dict[bool, Abilities] = field(default_factory=dict[bool, Abilities])
    _cuts: Mapping[bool, Cuts] = field(init=False)

    def __post_init__(self) -> None:
        self._cuts = {chat: Cuts(partial(self.count, templated=chat)) for chat in (False, True)}

    def abilities(self, *, chat: bool) -> Abilities:
        """What the server can do with prompts of this style; asked once."""
        if chat not in self._abilities:
            self._abilities[chat] = probe(self.server, chat=chat)
        return self._abilities[chat]

    @property
    def letters_only(self) -> bool:
        wanted = self.server.settings.views == "letters"
        return wanted or any(each.texts is None for each in self._abilities.values())

    @property
    def limits(self) -> tuple[str, ...]:
        """What the server cannot give, a sentence each."""
        reasons = [why for each in self._abilities.values() for why in each.why]
        reasons += [] if self.counts_tokens else [NO_COUNT]
        reasons += ["the server named several models"] if len(self.server.models_seen) > 1 else []
        return tuple(dict.fromkeys(reasons))

    @property
    def answers_as(self) -> str:
        """The server's model and version, and how its answers are read."""
        names = [self.server.model, self.version, *(each.name for each in self._abilities.values())]
        return ", ".join(filter(None, names))

    def server_facts(self) -> ServerFacts:
        return ServerFacts(
            url=self.server.settings.url,
            model=", ".join(self.server.models_seen),
            fingerprint=", ".join(self.server.fingerprints),
            version=self.version,
            runs_here=self.place.runs_here,
        )

    def server_memory_bytes(self) -> int | None:
        return self.place.peak_memory_bytes()

    def encode(self, request: ScoreRequest) -> Encoded:
        """The request as it is: the server makes the tokens, and tells while it answers what is too long."""
        abilities = self.abilities(chat=request.templated)
        if not abilities.top:
            raise BenchError(f"{'; '.join(abilities.why)}: it can only write, so use --generate")
        return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        asked, replies = [each.request for each in requests], list[Scores]()
        for answers, too_long in self._in_turns(self._scores_of, asked, skip):
            replies += answers.values()
            if len(replies) >= ENOUGH and all(map(_lists_none, replies)):
                raise _no_letter(len(replies))
            yield ScoredBatch(tuple(answers), tuple(answers.values()), None, too_long)
        if len(replies) > 1 and all(map(_lists_none, replies)):
            raise _no_letter(len(replies))

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:  # noqa: ARG002
        """The messages as JSON: the server's own template makes the prompt of them."""
        turns = [{"role": each.role, "content": each.content} for each in messages]
        return json.dumps(turns, ensure_ascii=False)

    def encode_prompt(self, request: GenerateRequest) -> Tokens:  # noqa: ARG002
        return ()

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],  # noqa: ARG002
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        written: list[Completion] = []
        for answers, too_long in self._in_turns(self._written, requests, skip):
            completions, lengths = zip(*answers.values(), strict=True) if answers else ((), ())
            written += (each for samples in completions for each in samples)
            if len(written) >= ENOUGH and not any(each.text.strip() for each in written):
                raise BenchError(f"the server's first {len(written)} replies are empty; see its log")
            yield WrittenBatch(tuple(answers), completions, lengths, None, too_long)

    def close(self) -> None:
        self.server.close()

    def count(self, text: str, *, templated: bool) -> int | None:
        """How many tokens the server counts of a text, as one message where it is a chat."""
        if templated:
            reply = self.server.chat([Message("user", text)], **ONE_TOKEN)
        else:
            reply = self.server.complete(text, **ONE_TOKEN)
        self.counts_tokens &= reply.prompt_tokens is not None
        return reply.prompt_tokens

    def _in_turns(
        self, answer: Callable[[Any], T], requests: Sequence[Any], skip: frozenset[int]
    ) -> Iterator[tuple[dict[int, T], tuple[int, ...]]]:
        """The answers batch by batch, by index, and the indices of what was too long."""
        most = self.server.settings.concurrency
        size = BATCH * most
        pool = ThreadPoolExecutor(most)
        try:
            for start in range(0, len(requests), size):
                batch = requests[start : start + size]
                indices = range(start, start + len(batch))
                if skip.issuperset(indices):
                    continue
                answers = dict(zip(indices, pool.map(partial(_answered, answer), batch), strict=True))
                yield (
                    {at: each for at, each in answers.items() if each is not None},
                    tuple(at for at, each in answers.items() if each is None and at not in skip),
                )
        finally:
            pool.shutdown(cancel_futures=True)

    def _scores_of(self, request: ScoreRequest) -> Scores:
        abilities = self.abilities(chat=request.templated)
        if self.letters_only:
            return self._letters(request, abilities)
        return text_scores(request, partial(self._tokens, request, abilities), self.window)

    def _tokens(self, request: ScoreRequest, abilities: Abilities, continuation: str) -> Sequence[Token]:
        if request.templated:
            return continued(self.server, _messages(request.prompt), continuation, abilities.extra)
        return echoed(self.server, request.prompt + continuation)

    def _letters(self, request: ScoreRequest, abilities: Abilities) -> Scores:
        prompt = _messages(request.prompt) if request.templated else request.prompt
        reply = likeliest(self.server, prompt, abilities.asked, abilities.extra)
        for seed in range(DRAWS if abilities.steady else 0):
            # Some servers list nothing where the end of the text is drawn: then another token has to be.
            if not reply.top:
                reply = likeliest(
                    self.server, prompt, abilities.asked, abilities.extra, ANY_TOKEN | {"seed": seed}
                )
        self._check(request.prompt, reply, templated=request.templated)
        # A token that was drawn may be listed besides the likeliest.
        top = dict(sorted(reply.top.items(), key=lambda pair: -pair[1])[: abilities.top])
        return letter_scores(request, top, reply.prompt_tokens, bare=abilities.bare)

    def _written(self, request: GenerateRequest) -> tuple[tuple[Completion, ...], int | None]:
        replies = [self._write(request, sample) for sample in range(request.samples)]
        # Some servers return the stop text too.
        completions = (
            Completion(
                each.text[: stop_at(each.text, request.stop)],
                finished=each.finished,
                tokens=each.new_tokens or 0,
            )
            for each in replies
        )
        return tuple(completions), replies[0].prompt_tokens

    def _write(self, request: GenerateRequest, sample: int) -> Reply:
        more: dict[str, Any] = {
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "seed": seed_of(request, sample) % SEEDS,
            **({"stop": list(request.stop)} if request.stop else {}),
        }
        if request.templated:
            reply = self.server.chat(_messages(request.prompt), **more)
        else:
            reply = self.server.complete(request.prompt, **more)
        self._check(request.prompt, reply, templated=request.templated, new=request.max_new_tokens)
        return reply

    def _check(self, prompt: str, reply: Reply, *, templated: bool, new: int = 0) -> None:
        """Raises TooLong where the server cut the prompt, or it is longer than the card allows."""
        if reply.prompt_tokens is None:
            self.counts_tokens = False
            return
        if self.window is not None and reply.prompt_tokens + new > self.window:
            raise TooLong(f"{reply.prompt_tokens} tokens")
        parts = [each.content for each in _messages(prompt)] if templated else [prompt]
        if self._cuts[templated].is_cut(parts, reply.prompt_tokens):
            raise TooLong(f"the server read {reply.prompt_tokens} tokens, which is not all of the prompt")


def open_openai(opening: Opening) -> ServerEngine:
    """Ask the server for what it can do; raises a BenchError where it may not be asked or does not answer."""
    settings = settings_of(opening.card)
    check_access(opening.card, opening.trust, False)
    server = Server(opening.card.name, settings)
    engine = ServerEngine(server, Place(settings), _version(server), opening.card.context)
    chat = opening.style == "chat"
    try:
        if opening.style is not None:
            engine.count("one two", templated=chat)
        if opening.style is not None and not opening.writes:
            engine.abilities(chat=chat)
    except TooLong as error:
        raise Refused(f"the server finds a text of a few words too long: {error}") from None
    return engine


def _version(server: Server) -> str:
    """The version, where the server says one: vLLM, Ollama, llama.cpp's own server, TGI."""
    places = {"/version": "version", "/api/version": "version", "/props": "build_info", "/info": "version"}
    values = (server.look(path).get(key) for path, key in places.items())
    return next((value for value in values if isinstance(value, str)), "")


def _messages(prompt: str) -> list[Message]:
    """The messages that `render` wrote."""
    return [Message(each["role"], each["content"]) for each in json.loads(prompt)]


def _lists_none(scores: Scores) -> bool:
    return bool(scores.bounded) and len(scores.bounded) == len(scores.logprobs[0])


def _no_letter(questions: int) -> BenchError:
    what = f"{NO_LETTER} of the first {questions} questions"
    return BenchError(f"{what}: the model answers in another form, so use --generate")


def _answered(answer: Callable[[Any], T], request: Any) -> T | None:
    """The answer; None where the server takes no prompt of this length. Errors name the item."""
    try:
        return answer(request)
    except TooLong:
        return None
    except Refused as error:
        raise OfItem(request.item.id, str(error), [str(error)]) from None
