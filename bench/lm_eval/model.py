"""Our engine as a model of lm-evaluation-harness: its tasks and few-shot prompts, our forward passes.

    lm_eval.simple_evaluate(model=BenchLM("smollm2-135m-instruct-q4_1"), tasks=["arc_easy"])
    python -m bench.lm_eval.model run --model slm-bench --model_args model=NAME --tasks arc_easy

lm-eval (0.4.13) loads no plugins: it knows the name `slm-bench` only after this module is imported. Run
as above, the module registers the name and then runs lm-eval's own command line.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from jinja2 import TemplateError
from tqdm import tqdm

from bench.engines import checked
from bench.engines.engine import Opening
from bench.engines.kinds import open_engine, prepare
from bench.engines.torch_device import best_dtype
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, UsageError, did_you_mean
from bench.inputs.cards import CardFile, find_cards
from bench.inputs.engine_rules import TRANSFORMERS
from bench.inputs.hub import hub_reachable
from bench.inputs.model_card import HubSource
from bench.inputs.weights import RemoteWeights, Weights, find_weights, on_this_machine
from bench.lm_eval.task import not_installed
from bench.types import Branch, Dtype, Encoded, GenerateRequest, Item, ScoreRequest, Tokens, Tree

try:
    from lm_eval.api.model import TemplateLM
    from lm_eval.api.registry import register_model
    from lm_eval.models.utils import normalize_gen_kwargs
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
except ModuleNotFoundError as error:
    raise not_installed() from error

NO_ITEM = Item("", "", (), 0)
NEW_TOKENS = 256
"""How many tokens a request may write if it does not say; lm-eval's own default."""
ROOM = 1024
"""Most tokens of branches in one tree, unless the stem is longer: a tree's mask grows with its square."""
TokenRequest = tuple[tuple[str, str] | None, list[int], list[int]]
"""(context and continuation as text, context, continuation); no text for a window of a longer text."""
Reply = tuple[float, bool]
"""(log-probability, whether every token was the likeliest)."""


@register_model("slm-bench")
class BenchLM(TemplateLM):
    """The model of a model card, or an open engine, behind lm-eval's model interface.

    In float32, log-likelihoods equal those of lm-eval's own `hf` model. A request that is longer than
    the model's window is an error; `hf` would cut it.
    """

    def __init__(
        self,
        model: str | TransformerEngine,
        dtype: str | None = None,
        batch_tokens: int | None = None,
        # lm-eval always passes these three. Batches are counted in tokens; the engine chooses the device.
        batch_size: object = None,  # noqa: ARG002
        device: object = None,  # noqa: ARG002
        max_batch_size: object = None,  # noqa: ARG002
        **unknown: object,
    ) -> None:
        super().__init__()
        for name in unknown:
            near = did_you_mean(name, ("model", "dtype", "batch_tokens"))
            raise UsageError(f"slm-bench takes no '{name}'; it takes model, dtype and batch_tokens{near}")
        if dtype is not None and not isinstance(model, str):
            raise UsageError("the engine is open already, so its dtype cannot be changed")
        engine = _open(model, dtype) if isinstance(model, str) else model
        self.engine = replace(engine, batch_tokens=batch_tokens) if batch_tokens else engine
        self.tokenizer = engine.tokenizer
        self.backend = "seq2seq" if engine.model.config.is_encoder_decoder else "causal"

    @property
    def eot_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The token that stands before a text without context."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else bos

    @property
    def max_length(self) -> int:
        return self.engine.window

    @property
    def tokenizer_name(self) -> str:
        return self.tokenizer.name_or_path.replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_kwargs: object) -> list[int]:
        """With the tokenizer's special tokens, unless the text begins with one, as a chat template's does."""
        templated = string.startswith(self.tokenizer.decode(self.prefix_token_id))
        special = not templated if add_special_tokens is None else add_special_tokens
        return self.tokenizer.encode(string, add_special_tokens=special)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        if self.tokenizer.chat_template is None:
            raise BenchError("this model's tokenizer has no chat template; omit --apply_chat_template")
        options = {
            "tokenize": False,
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": not add_generation_prompt,
        }
        try:
            return self.tokenizer.apply_chat_template(chat_history, **options)
        except TemplateError:  # the template has no system role; `hf` leaves that text out as well
            rest = [message for message in chat_history if message["role"] != "system"]
            return self.tokenizer.apply_chat_template(rest, **options)

    def _loglikelihood_tokens(
        self, requests: Sequence[TokenRequest], disable_tqdm: bool = False, **_kwargs: object
    ) -> list[Reply]:
        groups = list(grouped(requests))
        for tree, indices in groups:
            self._check(tree, requests[indices[0]])
        replies: dict[int, Reply] = {}
        scored = self._scores(groups)
        for index, reply in tqdm(scored, total=len(requests), desc="Scoring", disable=disable_tqdm):
            replies[index] = reply
            self._cache("loglikelihood", requests[index][0], reply)
        return [replies[index] for index in range(len(requests))]

    def _scores(self, groups: Sequence[tuple[Tree, list[int]]]) -> Iterator[tuple[int, Reply]]:
        encoded = [Encoded(ScoreRequest(NO_ITEM, "", ()), tree) for tree, _ in groups]
        for batch in checked.score(self.engine, encoded):
            for group, scores in zip(batch.indices, batch.replies, strict=True):
                replies = zip(scores.logprobs[0], scores.greedy[0], strict=True)
                yield from zip(groups[group][1], replies, strict=True)

    def _cache(self, method: str, arguments: tuple[Any, ...] | None, reply: object) -> None:
        """For lm-eval's `use_cache`: finished replies are kept if a later one fails."""
        if arguments is not None:
            self.cache_hook.add_partial(method, arguments, reply)

    def _check(self, tree: Tree, request: TokenRequest) -> None:
        end = f"the request that ends in {request[0][0][-40:]!r}" if request[0] else "a window"
        if not tree.stem or not all(branch.tokens for branch in tree.flat):
            raise BenchError(f"{end} has no context or no continuation tokens, so nothing can be scored")
        tokens = len(tree.stem) if self.backend == "seq2seq" else tree.longest
        if tokens > self.max_length:
            raise BenchError(
                f"{end} has {tokens} tokens, but the model takes {self.max_length}; use fewer few-shot "
                "examples (nothing is cut)"
            )

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        windows = [
            (number, window)
            for number, request in enumerate(requests)
            for window in self._windows(request.args[0])
        ]
        totals = [0.0] * len(requests)
        replies = self._loglikelihood_tokens([window for _, window in windows], disable_tqdm=disable_tqdm)
        for (number, _), (logprob, _) in zip(windows, replies, strict=True):
            totals[number] += logprob
        return totals

    def _windows(self, text: str) -> Iterator[TokenRequest]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        for context, continuation in map(make_disjoint_window, windows):
            yield None, context, continuation

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        replies: dict[int, str] = {}
        written = self._completions(self._generate_requests([request.args for request in requests]))
        for index, text in tqdm(written, total=len(requests), desc="Writing", disable=disable_tqdm):
            replies[index] = text
            self._cache("generate_until", requests[index].args, text)
        return [replies[index] for index in range(len(requests))]

    def _completions(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, str]]:
        """(index, text) of each request; requests with equal settings are written together."""
        prompts = [checked.encode_prompt(self.engine, request) for request in requests]
        alike: dict[object, list[int]] = {}
        for index, request in enumerate(requests):
            settings = (request.max_new_tokens, request.stop, request.temperature)
            alike.setdefault(settings, []).append(index)
        for group in alike.values():
            batches = checked.generate(
                self.engine, [requests[at] for at in group], [prompts[at] for at in group]
            )
            for batch in batches:
                for at, [completion] in zip(batch.indices, batch.replies, strict=True):
                    yield group[at], completion.text

    def _generate_requests(self, arguments: Sequence[tuple[str, Mapping[str, Any]]]) -> list[GenerateRequest]:
        """A prompt that occurs again (lm-eval's `repeats`) is sampled with another seed."""
        bos = self.tokenizer.bos_token if self.backend == "causal" else None
        times: Counter[str] = Counter()
        requests: list[GenerateRequest] = []
        for prompt, settings in arguments:
            templated = bos is not None and prompt.startswith(bos)
            requests.append(_generate_request(prompt, settings, times[prompt], templated=templated))
            times[prompt] += 1
        return requests


def grouped(requests: Sequence[TokenRequest]) -> Iterator[tuple[Tree, list[int]]]:
    """Trees of requests that share a context, each with the indices of its branches' requests, in order."""
    alike: dict[Tokens, list[int]] = {}
    for index, (_, context, _) in enumerate(requests):
        alike.setdefault(tuple(context), []).append(index)
    for stem, indices in alike.items():
        branches = [Branch(tuple(requests[index][2])) for index in indices]
        for part in _parts([len(branch.tokens) for branch in branches], max(ROOM, len(stem))):
            yield Tree(stem, (tuple(branches[at] for at in part),)), [indices[at] for at in part]


def _parts(lengths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Runs of consecutive indices whose lengths add up to at most `room`; a longer one is alone."""
    part: list[int] = []
    held = 0
    for at, length in enumerate(lengths):
        if part and held + length > room:
            yield part
            part, held = [], 0
        part.append(at)
        held += length
    if part:
        yield part


def _generate_request(
    prompt: str, settings: Mapping[str, Any], seed: int, *, templated: bool
) -> GenerateRequest:
    rest: dict[str, Any] = dict(normalize_gen_kwargs(dict(settings), NEW_TOKENS))
    stop = tuple(str(text) for text in rest.pop("until") if text)
    limit, do_sample = rest.pop("max_gen_toks"), rest.pop("do_sample")
    temperature = float(rest.pop("temperature", 0.0))
    if rest:
        known = "until, max_gen_toks, do_sample and temperature"
        raise BenchError(f"slm-bench cannot generate with {', '.join(sorted(rest))}; it takes {known}")
    if do_sample and not temperature:
        raise BenchError("do_sample needs a temperature above 0")
    return GenerateRequest(
        item=NO_ITEM,
        prompt=prompt,
        templated=templated,
        max_new_tokens=limit,
        stop=stop,
        temperature=temperature,
        samples=1,
        seed=seed,
    )


def _open(name: str, dtype: str | None) -> TransformerEngine:
    wanted = best_dtype() if dtype is None else _dtype(dtype)
    cards = find_cards(name, on_this_machine)
    if len(cards) > 1:
        raise UsageError(f"'{name}' matches {len(cards)} models; name one")
    [file] = cards
    if file.card.engine != TRANSFORMERS:
        raise BenchError(
            f"lm-eval can use models of the engine transformers, and {name} has {file.card.engine}"
        )
    engine = open_engine(Opening(file.card, wanted), prepare(file.card, _weights(file)))
    assert isinstance(engine, TransformerEngine)
    return engine


def _dtype(name: str) -> Dtype:
    for dtype in get_args(Dtype):
        if name == dtype:
            return dtype
    raise UsageError(f"no dtype is named '{name}'{did_you_mean(name, get_args(Dtype))}")


def _weights(file: CardFile) -> Weights | RemoteWeights | None:
    """The hub is asked only for weights that are not on this machine, and only if it is reachable."""
    remote = isinstance(file.card.source, HubSource) and not on_this_machine(file)
    return find_weights(file, offline=remote and not hub_reachable())


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    try:
        cli_evaluate()
    except BenchError as error:
        sys.exit(f"Error: {error}")
