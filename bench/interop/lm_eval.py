"""lm-evaluation-harness's model interface over our engine: its tasks and its few-shot, our forward passes.

    lm_eval.simple_evaluate(model=BenchLM("smollm2-135m-instruct-q4_1"), tasks=["arc_easy"])
    python -m bench.interop.lm_eval run --model slm-bench --model_args model=NAME --tasks arc_easy

lm-eval looks for no plugins (0.4.13), so it knows the name `slm-bench` once this module is imported;
run as above, the module is lm-eval's own command line with that done.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from jinja2 import TemplateError
from tqdm import tqdm

from bench.engines.engine import Opening
from bench.engines.kinds import open_engine, prepare
from bench.engines.loading import best_dtype
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, UsageError, did_you_mean
from bench.inputs.model_card import CardFile, HubSource, find_cards
from bench.inputs.weights import RemoteWeights, Weights, find_weights, hub_reachable, on_this_machine
from bench.interop.lm_eval_task import not_installed
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
"""How much a request may write that does not say; lm-eval's own default."""
ROOM = 1024
"""Tokens of branches in one tree, unless the stem is longer: a tree's mask grows with its square."""
TokenRequest = tuple[tuple[str, str] | None, list[int], list[int]]
"""(context and continuation as text, context, continuation); without text it is a window of a longer one."""
Reply = tuple[float, bool]
"""(log-probability, whether each token was the likeliest)."""


@register_model("slm-bench")
class BenchLM(TemplateLM):
    """A model card's model, or an engine that is open already, as lm-eval asks for it.

    Log-likelihoods equal those of lm-eval's own `hf` in float32. A request that is longer than the
    model's window is an error, where `hf` would cut it.
    """

    def __init__(
        self,
        model: str | TransformerEngine,
        dtype: str | None = None,
        batch_tokens: int | None = None,
        # lm-eval always gives these three; batches are counted in tokens here, on the device there is.
        batch_size: object = None,  # noqa: ARG002
        device: object = None,  # noqa: ARG002
        max_batch_size: object = None,  # noqa: ARG002
        **refused: object,
    ) -> None:
        super().__init__()
        for name in refused:
            near = did_you_mean(name, ("model", "dtype", "batch_tokens"))
            raise UsageError(f"slm-bench takes no '{name}'; it takes model, dtype and batch_tokens{near}")
        if dtype is not None and not isinstance(model, str):
            raise UsageError("an engine that is open has its dtype already")
        engine = _open(model, dtype) if isinstance(model, str) else model
        self.engine = replace(engine, batch_tokens=batch_tokens) if batch_tokens else engine
        self.tokenizer = engine.tokenizer
        self.backend = "seq2seq" if engine.model.config.is_encoder_decoder else "causal"

    @property
    def eot_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that nothing stands before."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else bos

    @property
    def max_length(self) -> int:
        return self.engine.window

    @property
    def tokenizer_name(self) -> str:
        return self.tokenizer.name_or_path.replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_kwargs: object) -> list[int]:
        """With the tokenizer's own special tokens, unless the text begins with one: a template's output."""
        begins = string.startswith(self.tokenizer.decode(self.prefix_token_id))
        special = not begins if add_special_tokens is None else add_special_tokens
        return self.tokenizer.encode(string, add_special_tokens=special)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        if self.tokenizer.chat_template is None:
            raise BenchError("this model's tokenizer has no chat template; leave --apply_chat_template out")
        options = {
            "tokenize": False,
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": not add_generation_prompt,
        }
        try:
            return self.tokenizer.apply_chat_template(chat_history, **options)
        except TemplateError:  # one that knows no system role; `hf` leaves it out as well
            rest = [message for message in chat_history if message["role"] != "system"]
            return self.tokenizer.apply_chat_template(rest, **options)

    def _loglikelihood_tokens(
        self, requests: Sequence[TokenRequest], disable_tqdm: bool = False, **_kwargs: object
    ) -> list[Reply]:
        groups = list(grouped(requests))
        for tree, indices in groups:
            self._check(tree, requests[indices[0]])
        replies: dict[int, Reply] = {}
        found = self._scores(groups)
        for index, reply in tqdm(found, total=len(requests), desc="Scoring", disable=disable_tqdm):
            replies[index] = reply
            self._remember("loglikelihood", requests[index][0], reply)
        return [replies[index] for index in range(len(requests))]

    def _scores(self, groups: Sequence[tuple[Tree, list[int]]]) -> Iterator[tuple[int, Reply]]:
        encoded = [Encoded(ScoreRequest(NO_ITEM, "", ()), tree) for tree, _ in groups]
        for batch in self.engine.score(encoded):
            for group, scores in zip(batch.indices, batch.replies, strict=True):
                replies = zip(scores.logprobs[0], scores.greedy[0], strict=True)
                yield from zip(groups[group][1], replies, strict=True)

    def _remember(self, method: str, arguments: tuple[Any, ...] | None, reply: object) -> None:
        """For lm-eval's `use_cache`: what is done is kept if the rest fails."""
        if arguments is not None:
            self.cache_hook.add_partial(method, arguments, reply)

    def _check(self, tree: Tree, request: TokenRequest) -> None:
        end = f"the request that ends in {request[0][0][-40:]!r}" if request[0] else "a window"
        if not tree.stem or not all(branch.tokens for branch in tree.flat):
            raise BenchError(f"{end} has no context or no continuation in tokens, so nothing can be scored")
        tokens = len(tree.stem) if self.backend == "seq2seq" else tree.longest
        if tokens > self.max_length:
            raise BenchError(
                f"{end} has {tokens} tokens, the model takes {self.max_length}, and nothing is cut: "
                "ask for fewer few-shot examples"
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
        found = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        for context, continuation in map(make_disjoint_window, found):
            yield None, context, continuation

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        replies: dict[int, str] = {}
        written = self._writings(self._generate_requests([request.args for request in requests]))
        for index, text in tqdm(written, total=len(requests), desc="Writing", disable=disable_tqdm):
            replies[index] = text
            self._remember("generate_until", requests[index].args, text)
        return [replies[index] for index in range(len(requests))]

    def _writings(self, asked: Sequence[GenerateRequest]) -> Iterator[tuple[int, str]]:
        prompts = [self.engine.encode_prompt(one) for one in asked]
        alike: dict[object, list[int]] = {}
        for index, one in enumerate(asked):
            alike.setdefault((one.max_new_tokens, one.stop, one.temperature), []).append(index)
        for group in alike.values():
            batches = self.engine.generate([asked[at] for at in group], [prompts[at] for at in group])
            for batch in batches:
                for at, [completion] in zip(batch.indices, batch.replies, strict=True):
                    yield group[at], completion.text

    def _generate_requests(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[GenerateRequest]:
        """A prompt that is asked again (lm-eval's `repeats`) draws by another seed."""
        bos = self.tokenizer.bos_token if self.backend == "causal" else None
        times: Counter[str] = Counter()
        found: list[GenerateRequest] = []
        for prompt, settings in asked:
            templated = bos is not None and prompt.startswith(bos)
            found.append(_generate_request(prompt, settings, times[prompt], templated=templated))
            times[prompt] += 1
        return found


def grouped(requests: Sequence[TokenRequest]) -> Iterator[tuple[Tree, list[int]]]:
    """A tree of the requests that share a context, and which requests its branches are, in order."""
    alike: dict[Tokens, list[int]] = {}
    for index, (_, context, _) in enumerate(requests):
        alike.setdefault(tuple(context), []).append(index)
    for stem, indices in alike.items():
        branches = [Branch(tuple(requests[index][2])) for index in indices]
        for part in _parts([len(branch.tokens) for branch in branches], max(ROOM, len(stem))):
            yield Tree(stem, (tuple(branches[at] for at in part),)), [indices[at] for at in part]


def _parts(lengths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Places of lengths in a row that together are at most `room`; a longer one stands alone."""
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
    given: dict[str, Any] = dict(normalize_gen_kwargs(dict(settings), NEW_TOKENS))
    stop = tuple(str(text) for text in given.pop("until") if text)
    limit, draws = given.pop("max_gen_toks"), given.pop("do_sample")
    temperature = float(given.pop("temperature", 0.0))
    if given:
        known = "until, max_gen_toks, do_sample and temperature"
        raise BenchError(f"slm-bench cannot write with {', '.join(sorted(given))}: it knows {known}")
    if draws and not temperature:
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
        raise UsageError(f"'{name}' names {len(cards)} models, and one is wanted")
    [file] = cards
    engine = open_engine(Opening(file.card, wanted), prepare(file.card, _weights(file)))
    if not isinstance(engine, TransformerEngine):
        raise BenchError(f"{file.card.name} is no language model, and lm-eval asks for one")
    return engine


def _dtype(name: str) -> Dtype:
    for known in get_args(Dtype):
        if name == known:
            return known
    raise UsageError(f"no dtype is named '{name}'{did_you_mean(name, get_args(Dtype))}")


def _weights(file: CardFile) -> Weights | RemoteWeights | None:
    """What is on this machine is not asked for on the hub; a hub that is silent is asked once."""
    remote = isinstance(file.card.source, HubSource) and not on_this_machine(file)
    return find_weights(file, offline=remote and not hub_reachable())


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    try:
        cli_evaluate()
    except BenchError as error:
        sys.exit(f"Error: {error}")
