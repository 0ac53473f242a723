"""The shared path: states after a stem are computed once, and copied for each branch without a change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    FalconH1Config,
    Gemma3TextConfig,
    JambaConfig,
    Lfm2Config,
    MistralConfig,
    NemotronHConfig,
    Qwen3_5TextConfig,
)
from transformers.cache_utils import DynamicSlidingWindowLayer

from bench.engines import causal, shared
from bench.engines.choose_path import SHORT_WINDOW, best_path
from bench.engines.engine import in_order
from bench.engines.transformer import TransformerEngine
from bench.types import Branch, Encoded, ScoreRequest, Scores, Tree
from tiny import ITEM, SIZES, TEXTS, bpe_tokenizer, opened, prompts, scaled

WINDOW = 70
LETTERS = (" A", " B", " C", " D")
OPTIONS = (" Vitamin A", " Vitamin B12", " kidney", " the pancreas, most likely", " C")
DELTA = {"linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2}
MAMBA = {
    "mamba_d_ssm": 64,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 16,
    "mamba_rms_norm": True,
}
GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": WINDOW}
NEMOTRON = {"mamba_num_heads": 8, "mamba_head_dim": 16, "ssm_state_size": 16, "n_groups": 2, "head_dim": 16}
CONFIGS: dict[str, Callable[..., Any]] = {
    "qwen3.5": lambda **sizes: Qwen3_5TextConfig(
        **sizes, **DELTA, head_dim=16, linear_num_value_heads=4, full_attention_interval=3
    ),
    "lfm2": lambda **sizes: Lfm2Config(**sizes, layer_types=["conv", "full_attention", "conv"]),
    "falcon-h1": lambda **sizes: FalconH1Config(**sizes, **MAMBA, mamba_chunk_size=32),
    "nemotron-h": lambda **sizes: NemotronHConfig(
        **sizes, **NEMOTRON, layers_block_type=["mamba", "attention", "mlp"], chunk_size=32
    ),
    "gemma3": lambda **sizes: Gemma3TextConfig(
        **sizes, **GEMMA, layer_types=["sliding_attention", "sliding_attention", "full_attention"]
    ),
    "mistral": lambda **sizes: MistralConfig(**sizes, sliding_window=WINDOW),
    "jamba": lambda **sizes: JambaConfig(
        **sizes, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=9, expert_layer_offset=8
    ),
}
SHARED = sorted(set(CONFIGS) - {"jamba"})
TOKENIZER = bpe_tokenizer()


def build(family: str) -> Any:
    torch.manual_seed(7)
    sizes = SIZES | {"vocab_size": len(TOKENIZER), "pad_token_id": 0}
    model = scaled(AutoModelForCausalLM.from_config(CONFIGS[family](**sizes))).eval()
    # An untrained Mamba forgets within a token, and passes it by: a lost state would move a score by 2e-5.
    for name, parameter in model.named_parameters():
        if name.endswith((".A_log", ".D", ".dt_bias")):
            torch.nn.init.constant_(parameter, -2.0 if name.endswith(".A_log") else 0.0)
    return model


def open_tiny(folder: Path, family: str) -> TransformerEngine:
    build(family).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return opened(folder)


def questions(count: int, beginning: str = "") -> list[ScoreRequest]:
    return [ScoreRequest(ITEM, beginning + prompt, (LETTERS, OPTIONS)) for prompt in prompts(count)]


def replies(
    engine: TransformerEngine, asked: Sequence[ScoreRequest], skip: Sequence[int] = ()
) -> list[Scores]:
    return in_order(engine.score([engine.encode(one) for one in asked], frozenset(skip)))


def score(engine: TransformerEngine, asked: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
    return [sum(reply.logprobs, ()) for reply in replies(engine, asked)]


def row_by_row(engine: TransformerEngine, one: ScoreRequest) -> list[float]:
    """Each continuation after its whole prompt, alone, by transformers' plain forward pass."""
    tree = engine.encode(one).tree
    values: list[float] = []
    for branch in tree.flat:
        ids = torch.tensor([tree.stem + branch.tokens])
        with torch.no_grad():
            logprobs = engine.model(ids, use_cache=False).logits[0].double().log_softmax(-1)
        first = len(tree.stem) + branch.given
        values.append(sum(float(logprobs[at - 1, ids[0, at]]) for at in range(first, ids.shape[1])))
    return values


@pytest.mark.parametrize("family", SHARED)
@pytest.mark.parametrize("beginning", ["", " ".join(TEXTS)])
def test_copied_states_score_as_whole_rows_do(tmp_path: Path, family: str, beginning: str) -> None:
    engine = open_tiny(tmp_path, family)
    assert engine.path == "shared"
    asked = questions(6, beginning)
    lengths = {len(engine.encode(one).tree.stem) for one in asked}
    assert len(lengths) > 3
    assert max(lengths) > WINDOW or not beginning
    expected = [row_by_row(engine, one) for one in asked]
    ways = {
        "together": score(engine, asked),
        "one by one": score(replace(engine, batch_tokens=1), asked),
        "plain, together": score(replace(engine, path="plain"), asked),
    }
    for way, scores in ways.items():
        for a, b in zip(scores, expected, strict=True):
            assert a == pytest.approx(b, abs=1e-4, rel=0), way
    assert max(abs(a - b) for a, b in zip(expected[0], expected[1], strict=True)) > 0.1


def test_a_question_of_letters_alone_is_one_row_in_one_pass(tmp_path: Path) -> None:
    engine = open_tiny(tmp_path, "lfm2")
    asked = [replace(one, continuations=(LETTERS,)) for one in questions(4)]
    longest = max(len(engine.encode(one).tree.stem) for one in asked)
    fed: list[torch.Size] = []
    engine.model.model.embed_tokens.register_forward_hook(lambda _m, inputs, _o: fed.append(inputs[0].shape))
    score(engine, asked)
    assert fed[1:] == [(4, longest)]  # the first is one token, to see how large a state is


def test_a_stem_and_what_all_begin_with_are_run_once(tmp_path: Path) -> None:
    engine = open_tiny(tmp_path, "qwen3.5")
    beginning = " ".join(TEXTS)
    asked = questions(5, beginning)
    trees = [engine.encode(one).tree for one in asked]
    common = len(TOKENIZER(beginning)["input_ids"])
    fed: list[torch.Size] = []
    engine.model.model.embed_tokens.register_forward_hook(lambda _m, inputs, _o: fed.append(inputs[0].shape))
    score(replace(engine, batch_tokens=1), asked)
    assert fed[0][0] == 1
    assert fed[0][1] >= common - 1
    trees.sort(key=lambda tree: -len(tree.stem))
    for tree, stem, branches in zip(trees, fed[1::2], fed[2::2], strict=True):
        assert stem == (1, len(tree.stem) - fed[0][1] - 1)
        assert branches == (3, max(len(branch.tokens) for branch in tree.flat))  # letters need no row


def test_a_run_that_goes_on_scores_the_same_bit_for_bit(tmp_path: Path) -> None:
    engine = replace(open_tiny(tmp_path, "falcon-h1"), batch_tokens=150)
    asked = questions(9, " ".join(TEXTS))
    encoded = [engine.encode(one) for one in asked]
    batches = list(engine.score(encoded))
    assert len(batches) > 2
    done = frozenset(batches[0].indices + batches[2].indices)
    left = list(engine.score(encoded, done))
    assert left == [batch for batch in batches if not done.issuperset(batch.indices)]


def test_a_batch_whose_states_do_not_fit_is_scored_in_smaller_ones(tmp_path: Path) -> None:
    engine = open_tiny(tmp_path, "gemma3")
    asked = questions(10)
    expected = score(engine, asked)
    run = engine.model.model.forward

    def forward(input_ids: torch.Tensor, **rest: Any) -> Any:
        if input_ids.numel() > 80:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return run(input_ids=input_ids, **rest)

    engine.model.model.forward = forward
    batches = list(engine.score([engine.encode(one) for one in asked]))
    assert batches[-1].batch_tokens < engine.batch_tokens
    shrunk = [sum(reply.logprobs, ()) for reply in in_order(batches)]
    assert shrunk == [pytest.approx(one, abs=1e-4) for one in expected]


def test_questions_with_large_states_are_batched_by_these() -> None:
    tree = Tree((1,) * 100, ((Branch((2, 3)), Branch((4, 5))),))
    assert shared.shape(tree, 0) == (1, 100)
    assert shared.shape(tree, 100 * shared.STATE_BYTES) == (1, 100)
    assert shared.shape(tree, 450 * shared.STATE_BYTES) == (5, 100)


def test_copies_are_held_for_one_layer_at_a_time_and_leave_the_source_as_it_is() -> None:
    model = build("qwen3.5")
    [source] = [model.model(torch.tensor([[5, 6, 7, 8]]), use_cache=True).past_key_values]
    before = [tensor.clone() for tensor in shared.tensors(source)]
    copies = shared.CopiedStates(source, torch.zeros(3, dtype=torch.long))
    with torch.no_grad():
        model(torch.tensor([[1, 2], [3, 4], [5, 6]]), past_key_values=copies, use_cache=False)
    after = shared.tensors(source)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert copies.current[0] == len(source.layers) - 1
    assert not any(
        isinstance(value, torch.Tensor) for value in vars(copies).values() if value is not copies.origins
    )


def other_question(layer: Any, origins: torch.Tensor) -> Any:
    return COPIED(layer, origins.flip(0) if len(set(origins.tolist())) > 1 else origins)


def no_recurrent_state(layer: Any, origins: torch.Tensor) -> Any:
    new = COPIED(layer, origins)
    if any(state is not None for state in vars(new).get("recurrent_states", {}).values()):
        new.recurrent_states = {at: torch.zeros_like(one) for at, one in new.recurrent_states.items()}
    return new


def no_convolution_state(layer: Any, origins: torch.Tensor) -> Any:
    new = COPIED(layer, origins)
    if "conv_states" in vars(new):
        new.conv_states = {at: torch.zeros_like(one) for at, one in new.conv_states.items()}
    return new


def window_off_by_one(layer: Any, origins: torch.Tensor) -> Any:
    new = COPIED(layer, origins)
    if isinstance(new, DynamicSlidingWindowLayer):
        new.keys, new.values = new.keys.roll(1, dims=-2), new.values.roll(1, dims=-2)
    return new


COPIED = shared.copied


@pytest.mark.parametrize(
    ("family", "damage"),
    [
        *[(family, other_question) for family in SHARED],
        ("qwen3.5", no_recurrent_state),
        ("falcon-h1", no_recurrent_state),
        ("nemotron-h", no_recurrent_state),
        ("qwen3.5", no_convolution_state),
        ("lfm2", no_convolution_state),
        ("gemma3", window_off_by_one),
        ("mistral", window_off_by_one),
    ],
)
def test_the_check_sees_states_that_are_not_the_stem_s(
    monkeypatch: pytest.MonkeyPatch, family: str, damage: Callable[..., Any]
) -> None:
    model = build(family)
    assert best_path(model, 512) == "shared"
    monkeypatch.setattr(shared, "copied", damage)
    assert best_path(model, 512) == "plain"


def test_the_check_is_longer_than_any_window_and_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("gemma3")
    model.config.sliding_window = 4096
    assert best_path(model, 8192) == "shared"
    assert model.config.sliding_window == 4096
    # A window that is wrong only once it is full.
    sizes = DynamicSlidingWindowLayer.get_mask_sizes

    def moved(layer: DynamicSlidingWindowLayer, query_length: int) -> tuple[int, int]:
        length, offset = sizes(layer, query_length)
        return length, offset + 3 if layer.cumulative_length >= SHORT_WINDOW else offset

    monkeypatch.setattr(DynamicSlidingWindowLayer, "get_mask_sizes", moved)
    assert best_path(model, 8192) == "plain"


def test_a_class_that_forgets_its_state_between_two_passes_takes_the_plain_path() -> None:
    model = build("jamba")
    assert best_path(model, 512) == "plain"
    asked = Encoded(ScoreRequest(ITEM, "", ()), Tree((5, 6, 7, 8), ((Branch((1, 2, 3)), Branch((3, 2, 1))),)))
    [plain] = in_order(causal.score(model, [asked], 4096, "plain"))
    [forgot] = in_order(causal.score(model, [asked], 4096, "shared"))
    assert plain.logprobs[0] != pytest.approx(forgot.logprobs[0], abs=1e-3)
