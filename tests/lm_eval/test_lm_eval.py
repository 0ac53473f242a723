"""lm-evaluation-harness over our engine gives its own engine's numbers, and its tasks in our form do too."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers.processors import TemplateProcessing

from bench.errors import BenchError, Unavailable, UsageError
from bench.evaluate import evaluate
from bench.inputs.data import load_split
from bench.inputs.model_card import Architecture
from bench.inputs.prompts import choose_exemplars
from bench.inputs.tasks import find_tasks
from bench.inputs.validate import prove
from bench.lm_eval.model import ROOM, BenchLM, TokenRequest, grouped
from bench.lm_eval.task import _config, import_task
from bench.scoring.asking import Asking, score_request
from foreign import DOCS, LETTERS, OPENING, reference, write_task
from tiny import TEXTS, bpe_tokenizer, opened, save_causal, save_t5

TOLERANCE = 1e-4


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """These models are too small for two, which wait for each other ten times as long where others run."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("models") / "llama", "llama")


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_t5(tmp_path_factory.mktemp("models") / "t5")


def asked(method: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [
        Instance(request_type=method, doc={}, arguments=one, idx=index) for index, one in enumerate(arguments)
    ]


def replies(pairs: Sequence[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [logprob for logprob, _ in pairs], [greedy for _, greedy in pairs]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mapping[str, Sequence[Mapping[str, Any]]]]:
    """What lm-eval keeps of every document, by task."""
    # What it writes down of the machine takes it 2.5 s each time, and is not looked at here.
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)

    def ask(lm: Any, folder: Path, *tasks: str, **options: Any) -> Any:
        manager = TaskManager(include_path=folder, include_defaults=False)
        options |= {"tasks": list(tasks), "task_manager": manager, "bootstrap_iters": 0}
        evaluated = simple_evaluate(model=lm, **options)
        assert evaluated is not None
        return evaluated["samples"]

    return ask


Answers = Callable[..., Mapping[str, Sequence[Mapping[str, Any]]]]


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
def test_every_answer_is_the_one_of_lm_eval_s_own_engine(
    tmp_path: Path, architecture: Architecture, answers: Answers, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue("llama" if architecture == "decoder" else "t5")
    for shots in (0, 2):
        write_task(tmp_path, f"texts{shots}", num_fewshot=shots)
        write_task(tmp_path, f"letters{shots}", num_fewshot=shots, **LETTERS)
    names = [f"{answer}{shots}" for answer in ("texts", "letters") for shots in (0, 2)]
    ours = answers(BenchLM(opened(model, architecture)), tmp_path, *names)
    theirs = answers(reference(model, architecture), tmp_path, *names)
    for name in names:
        assert len(ours[name]) == len(DOCS)
        for our, their in zip(ours[name], theirs[name], strict=True):
            assert our["arguments"] == their["arguments"]
            (logprobs, greedy), (known, known_greedy) = (
                replies(one["filtered_resps"]) for one in (our, their)
            )
            assert logprobs == pytest.approx(known, abs=TOLERANCE)
            assert greedy == known_greedy
            assert (our["acc"], our["acc_norm"]) == (their["acc"], their["acc_norm"])
    assert ours["texts0"][0]["arguments"] != ours["texts2"][0]["arguments"]


def test_contexts_need_not_be_given_in_order(llama: Path) -> None:
    lm = BenchLM(opened(llama))
    pairs = [(f"Question: {n % 3}", f" {text}") for n in range(6) for text in ("liver", "a kidney", "liver")]
    there, _ = replies(lm.loglikelihood(asked("loglikelihood", *pairs), disable_tqdm=True))
    back, _ = replies(lm.loglikelihood(asked("loglikelihood", *pairs[::-1]), disable_tqdm=True))
    assert there == pytest.approx(back[::-1], abs=1e-5)
    assert len({round(one, 4) for one in there}) == 6


TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.none(), TOKENS, TOKENS), max_size=12))
def test_every_request_is_a_branch_of_its_context(requests: list[TokenRequest]) -> None:
    groups = list(grouped(requests))
    pairs = {
        index: (list(tree.stem), list(branch.tokens))
        for tree, indices in groups
        for index, branch in zip(indices, tree.flat, strict=True)
    }
    assert pairs == {index: (context, text) for index, (_, context, text) in enumerate(requests)}
    assert len(groups) == len({tuple(context) for _, context, _ in requests})


def test_a_tree_of_many_branches_is_not_wider_than_it_is_worth() -> None:
    wide = list(grouped([(None, [1], [2] * 100)] * 25))
    assert [len(tree.flat) for tree, _ in wide] == [10, 10, 5]
    assert [index for _, indices in wide for index in indices] == list(range(25))
    [(tree, _)] = grouped([(None, [1] * 3 * ROOM, [2] * 100)] * 25)
    assert len(tree.flat) == 25
    assert len(list(grouped([(None, [1], [2] * 2 * ROOM)] * 2))) == 2


def test_a_request_beyond_the_window_is_an_error(llama: Path) -> None:
    context, continuation = "Which organ makes insulin?", " Pancreas"
    lm = BenchLM(opened(llama))
    tokens = len(lm.tok_encode(context + continuation)) - 1
    [fits] = replace_window(lm, tokens).loglikelihood(asked("loglikelihood", (context, continuation)))
    assert fits == pytest.approx(
        lm.loglikelihood(asked("loglikelihood", (context, continuation)))[0], abs=1e-5
    )
    message = rf"makes insulin\?' has {tokens} tokens, but the model takes {tokens - 1}"
    with pytest.raises(BenchError, match=message):
        replace_window(lm, tokens - 1).loglikelihood(asked("loglikelihood", (context, continuation)))


def replace_window(lm: BenchLM, window: int) -> BenchLM:
    return BenchLM(replace(lm.engine, window=window))


def test_an_encoder_s_window_is_for_the_context_alone(t5: Path) -> None:
    lm = BenchLM(opened(t5, "encoder-decoder"))
    tokens = len(lm.tok_encode("fever"))
    long = asked("loglikelihood", ("fever", " cough" * 9))
    assert len(replace_window(lm, tokens).loglikelihood(long)) == 1
    with pytest.raises(BenchError, match=f"has {tokens} tokens, but the model takes {tokens - 1}"):
        replace_window(lm, tokens - 1).loglikelihood(long)


def test_a_context_without_tokens_is_an_error(llama: Path) -> None:
    with pytest.raises(BenchError, match="no context or no continuation"):
        BenchLM(opened(llama))._loglikelihood_tokens([(("", " a"), [], [5])], disable_tqdm=True)


def with_bos(folder: Path) -> Path:
    """A Llama whose tokenizer begins every text with a token of its own."""
    tokenizer = bpe_tokenizer()
    tokenizer.bos_token = "<s>"
    start = tokenizer.convert_tokens_to_ids("<s>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", start)]
    )
    return save_causal(folder, "llama", tokenizer)


def test_special_tokens_and_empty_contexts_are_taken_as_lm_eval_s_own_engine_takes_them(
    tmp_path: Path, llama: Path, t5: Path
) -> None:
    # Apart, since lm-eval 0.4.13 mixes up requests of one text that is split in two places.
    batches = [[("", " fever"), ("fever", " cough"), ("<s>fever", " cough")], [("fever ", "and cough")]]
    models: list[tuple[Path, Architecture]] = [
        (llama, "decoder"), (with_bos(tmp_path / "bos"), "decoder"), (t5, "encoder-decoder"),
    ]  # fmt: skip
    for folder, architecture in models:
        ours, theirs = BenchLM(opened(folder, architecture)), reference(folder, architecture)
        assert (ours.prefix_token_id, ours.eot_token_id) == (theirs.prefix_token_id, theirs.eot_token_id)
        for text in ("a fever", "<s>a fever", "</s>a fever"):
            for special in (None, True, False):
                assert ours.tok_encode(text, special) == theirs.tok_encode(text, special)
        for pairs in batches:
            (logprobs, greedy), (known, known_greedy) = (
                replies(lm.loglikelihood(asked("loglikelihood", *pairs), disable_tqdm=True))
                for lm in (ours, theirs)
            )
            assert logprobs == pytest.approx(known, abs=TOLERANCE)
            assert greedy == known_greedy
    lm = BenchLM(opened(tmp_path / "bos"))
    assert lm.tok_encode("a")[0] == lm.prefix_token_id != lm.eot_token_id


def test_a_text_of_several_windows_is_as_likely_as_lm_eval_s_own_engine_says(llama: Path) -> None:
    texts = [(" ".join(TEXTS) * count,) for count in (1, 30)] + [("fever",)]
    ours, theirs = BenchLM(opened(llama)), reference(llama)
    assert len(ours.tok_encode(texts[1][0])) > 2 * ours.max_length
    known = theirs.loglikelihood_rolling(asked("loglikelihood_rolling", *texts), disable_tqdm=True)
    logprobs = ours.loglikelihood_rolling(asked("loglikelihood_rolling", *texts), disable_tqdm=True)
    assert logprobs == pytest.approx(known, rel=1e-5)


PROMPTS = ["Question: Which organ", "A patient has", "Vitamin", "The answer is the most likely"]


def test_greedy_writing_is_lm_eval_s_own_engine_s(llama: Path) -> None:
    ours, theirs = BenchLM(opened(llama)), reference(llama)
    [free] = ours.generate_until(asked("generate_until", (PROMPTS[0], {"max_gen_toks": 24})))
    stop = free[6:8]
    settings = [
        {"until": [], "max_gen_toks": 24},
        {"until": stop, "max_gen_toks": 24, "do_sample": False, "temperature": 0.7},
        {"until": [stop, "\n\n"], "max_gen_toks": 9, "temperature": 0},
    ]
    requests = asked("generate_until", *((prompt, one) for prompt in PROMPTS for one in settings))
    generated = ours.generate_until(requests, disable_tqdm=True)
    assert generated == theirs.generate_until(requests, disable_tqdm=True)
    assert generated[:2] == [free, free.split(stop)[0]]
    assert len(set(generated)) > len(PROMPTS)


def test_an_encoder_decoder_writes_what_lm_eval_s_own_engine_begins_with(t5: Path) -> None:
    requests = asked("generate_until", *((prompt, {"max_gen_toks": 9}) for prompt in PROMPTS))
    written, known = (
        lm.generate_until(requests, disable_tqdm=True)
        for lm in (BenchLM(opened(t5, "encoder-decoder")), reference(t5, "encoder-decoder"))
    )
    # lm-eval 0.4.13 lets an encoder-decoder write as many tokens more as its longest prompt has.
    for ours, theirs in zip(written, known, strict=True):
        assert theirs.startswith(ours)
        assert ours
    assert len(set(written)) > 1


def test_an_empty_stop_text_stops_nothing(llama: Path) -> None:
    lm = BenchLM(opened(llama))
    texts = lm.generate_until(
        asked("generate_until", *(("A patient", {"until": one, "max_gen_toks": 8}) for one in ("", [], [""])))
    )
    assert len(set(texts)) == 1
    assert texts[0]


def test_a_prompt_that_is_asked_again_is_answered_by_another_draw(llama: Path) -> None:
    lm = BenchLM(opened(llama))
    settings = {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 5.0}
    draw = [lm.generate_until(asked("generate_until", *[("A patient", settings)] * 3)) for _ in range(2)]
    assert draw[0] == draw[1]
    assert len(set(draw[0])) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_p": 0.9, "num_beams": 2}, "cannot generate with num_beams, top_p; it takes until"),
        ({"do_sample": True}, "needs a temperature above 0"),
        ({"max_gen_toks": 600}, "the model takes 512"),
    ],
)
def test_writing_that_cannot_be_had_is_an_error(
    llama: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        BenchLM(opened(llama)).generate_until(asked("generate_until", ("A patient", settings)))


CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"


def test_a_chat_template_is_applied_as_lm_eval_s_own_engine_applies_it(llama: Path) -> None:
    ours, theirs = BenchLM(opened(llama)), reference(llama)
    conversation = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Fever?"}]
    with pytest.raises(BenchError, match="no chat template; omit --apply_chat_template"):
        ours.apply_chat_template(conversation)
    for template in (CHAT, NO_SYSTEM + CHAT):
        ours.tokenizer.chat_template = theirs.tokenizer.chat_template = template
        assert ours.chat_template(True) == template
        for history, prompt in (
            (conversation, True),
            (conversation[1:], True),
            ([*conversation, {"role": "assistant", "content": "It"}], False),
        ):
            rendered = ours.apply_chat_template(history, prompt)
            assert rendered == theirs.apply_chat_template(history, prompt)
            assert ("Be brief" in rendered) == (template == CHAT and history != conversation[1:])


def test_what_is_done_is_kept_for_lm_eval_s_cache(llama: Path, tmp_path: Path) -> None:
    cached = CachingLM(BenchLM(opened(llama)), str(tmp_path / "kept.db"))
    cached.lm.loglikelihood(asked("loglikelihood", ("fever", " a"), ("fever", " b")), disable_tqdm=True)
    cached.lm.generate_until(asked("generate_until", ("fever", {"max_gen_toks": 2})), disable_tqdm=True)
    assert len(cached.dbdict) == 3


CARD = """\
name: NAME
title: Tiny
family: tiny
source: SOURCE
architecture: ARCHITECTURE
license: mit
context: 512
"""


@pytest.fixture
def cards(llama: Path, project: Path) -> Path:
    """A user's folder with the cards of a small model and of a baseline."""
    (project / "model_cards").mkdir()
    for name, source, architecture in (
        ("tiny", f"{{path: {llama}}}", "decoder"),
        ("tiny-guess", "{engine: chance}", "baseline"),
    ):
        card = CARD.replace("NAME", name).replace("SOURCE", source).replace("ARCHITECTURE", architecture)
        (project / "model_cards" / f"{name}.yaml").write_text(card, encoding="utf-8")
    return project


def test_lm_eval_opens_a_card_by_the_name_of_the_model(cards: Path, answers: Answers, llama: Path) -> None:
    write_task(cards)
    options = {"model_args": "model=tiny,dtype=float32,batch_tokens=256", "batch_size": 4, "device": "cpu"}
    named = answers("slm-bench", cards, "organs", **options)
    opened_here = answers(BenchLM(opened(llama)), cards, "organs")
    for one, other in zip(named["organs"], opened_here["organs"], strict=True):
        assert replies(one["filtered_resps"])[0] == pytest.approx(
            replies(other["filtered_resps"])[0], abs=1e-4
        )
    assert (get_model("slm-bench"), get_model("hf")) == (BenchLM, HFLM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "tiny", "batchtokens": 1}, "no 'batchtokens'.*did you mean 'batch_tokens'"),
        ({"model": "tinny"}, "did you mean 'tiny'"),
        ({"model": "tiny*"}, "'tiny\\*' matches 2 models; name one"),
        ({"model": "tiny", "dtype": "float23"}, "no dtype is named 'float23'; did you mean 'float32'"),
        ({"model": "tiny-guess"}, "models of the engine transformers, and tiny-guess has chance"),
    ],
)
def test_a_model_that_cannot_be_opened_is_one_message(
    cards: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        BenchLM(**options)


def test_an_open_engine_is_not_asked_for_another_dtype(llama: Path) -> None:
    with pytest.raises(UsageError, match="its dtype cannot be changed"):
        BenchLM(opened(llama), dtype="bfloat16")


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
def test_an_imported_task_is_scored_as_lm_eval_scores_it(
    tmp_path: Path, architecture: Architecture, answers: Answers, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue("llama" if architecture == "decoder" else "t5")
    write_task(tmp_path, "plain")
    # One exemplar to choose from, so that both choose the same.
    shown = {"description": OPENING, "num_fewshot": 1, "fewshot_split": "one"}
    write_task(tmp_path, "Shown::1", **shown, **LETTERS)
    theirs = answers(reference(model, architecture), tmp_path, "plain", "Shown::1")
    engine = opened(model, architecture)
    for name, known in theirs.items():
        path = import_task(name, tmp_path, tmp_path / "tasks")
        assert prove(path, data_dir=None, offline=True).items == len(DOCS)
        [file] = find_tasks([str(path)])
        test, exemplars = (
            load_split(file, role, data_dir=None, offline=True) for role in ("test", "exemplars")
        )
        assert test is not None
        assert exemplars is not None
        asking = Asking(file.task, choose_exemplars(exemplars.items, file.task.exemplars, seed=0))
        records = {r.question_id: r for b in evaluate(asking, test.items, engine) for r in b.records}
        for number, their in enumerate(known):
            record = records[f"test-{number:05d}"]
            assert record.prompt == their["arguments"][0][0]
            assert record.scores["text"] == pytest.approx(
                tuple(replies(their["filtered_resps"])[0]), abs=TOLERANCE
            )
            assert record.is_correct == bool(their["acc"])


def test_an_imported_task_says_where_it_is_from(tmp_path: Path) -> None:
    write_task(tmp_path, "Shown::1", description=OPENING, num_fewshot=2)
    path = import_task("Shown::1", tmp_path, tmp_path / "tasks")
    [file] = find_tasks([str(path)])
    task = file.task
    assert path == tmp_path / "tasks" / "lm-eval-shown-1-5f6fa95e48e4.yaml"
    assert (task.version, task.exemplars, task.license, task.metrics) == (2, 2, "unknown", ("accuracy",))
    assert task.system == "The following are questions."
    assert "Task 'Shown::1', version 2.0, of lm-evaluation-harness" in task.description
    assert sorted(one.name for one in (path.parent / "data").iterdir()) == [
        "lm-eval-shown-1-5f6fa95e48e4_exemplars.jsonl",
        "lm-eval-shown-1-5f6fa95e48e4_test.jsonl",
    ]


@pytest.mark.parametrize(
    ("given", "version"), [({"version": 0.0}, 1), ({"version": "3.1"}, 3), ({"version": "x"}, 1), ("old", 1)]
)
def test_versions_are_whole_and_begin_at_one(tmp_path: Path, given: object, version: int) -> None:
    write_task(tmp_path, metadata=given)
    [file] = find_tasks([str(import_task("organs", tmp_path, tmp_path))])
    assert file.task.version == version


@pytest.mark.parametrize(
    "changed",
    [
        {"doc_to_choice": [" an organ", " a bone", " blood"], "target_delimiter": ""},
        {"doc_to_text": "Question: {{question}}\nAnswer:\n", "target_delimiter": ""},
        {"doc_to_target": "{{choices[gold]}}"},
        {"fewshot_delimiter": "\n", "fewshot_split": None},
        {"fewshot_split": None, "training_split": "shown", "test_split": None, "validation_split": "test"},
    ],
)
def test_texts_are_lm_eval_s_to_the_letter(tmp_path: Path, changed: dict[str, Any]) -> None:
    write_task(tmp_path, **changed)
    [theirs] = TaskManager(include_path=tmp_path, include_defaults=False).load("organs")["tasks"].values()
    theirs.set_config(key="num_fewshot", value=0)
    theirs.build_all_requests()
    [file] = find_tasks([str(import_task("organs", tmp_path, tmp_path / "tasks"))])
    test = load_split(file, "test", data_dir=None, offline=True)
    assert test is not None
    requests = [score_request(Asking(file.task), item, str) for item in test.items]
    texts = [one.prompt + text for one in requests for text in one.continuations[0]]
    assert texts == ["".join(instance.args) for instance in theirs.instances]
    assert [item.answer for item in test.items] == [doc["gold"] for doc in DOCS]
    assert (file.task.data.splits.exemplars is None) == (
        changed.get("fewshot_split", "shown") is None and "training_split" not in changed
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"output_type": "generate_until"}, "its output_type is generate_until"),
        ({"output_type": None}, "its output_type is generate_until"),
        ({"process_results": "{{acc}}"}, "its own code"),
        ({"doc_to_image": "picture"}, "images"),
        ({"gen_prefix": "Say"}, "gen_prefix"),
        ({"fewshot_config": {"gen_prefix": "Say"}}, "gen_prefix"),
        ({"class": "task.Organs"}, "written in Python"),
        ({"num_fewshot": 1, "fewshot_delimiter": "\n"}, r"its fewshot_delimiter is '\\n'"),
        ({"num_fewshot": 1, "fewshot_split": "test"}, "from the split that it tests"),
        ({"num_fewshot": 1, "fewshot_split": None}, "from the split that it tests"),
        ({"target_delimiter": "\n"}, r"document 0 of its test split: target_delimiter: lm-eval writes '\\nL"),
        ({"target_delimiter": ""}, "lm-eval writes 'Liver' after .*Answer:', but we would write ' Liver'"),
        ({"doc_to_text": "{{question}} "}, "lm-eval writes ' Liver' after"),
        ({"doc_to_text": "{{gold}}"}, "doc_to_text: gives an index"),
        ({"doc_to_target": "[0, 1]"}, "doc_to_target: gives several right answers"),
        ({"doc_to_target": "Brain"}, "gives 'Brain', which is none of the options"),
        ({"doc_to_target": "{{gold if 'insulin' in question else 7}}"}, "document 1 .*answer 7 is out of"),
        ({"doc_to_choice": "{{choices[:1]}}", "doc_to_target": "0"}, "1 option; a question has 2 to 26"),
        ({"doc_to_choice": "{{(choices * 9)[:27]}}"}, "27 options; a question has 2 to 26"),
        ({"doc_to_choice": "{{choices + [' ']}}"}, "doc_to_choice: gives an empty option"),
        ({"doc_to_text": "{{' ' if 'bile' in question else question}}"}, "document 1 .*expected text"),
        ({"doc_to_text": "{{nothing}}"}, "cannot load its task 'organs': UndefinedError: 'nothing'"),
        ({"doc_to_text": "{{nothing if 'bile' in question else question}}"}, "document 1 .*'nothing' is un"),
        ({"description": "Questions: "}, "its description does not end in a blank line"),
        ({"description": "{{question}}\n\n"}, "its description is not the same for all documents"),
    ],
)  # fmt: skip
def test_what_our_tasks_cannot_express_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    write_task(tmp_path, **changed)
    with pytest.raises(BenchError, match=message):
        import_task("organs", tmp_path, tmp_path / "tasks")
    assert not (tmp_path / "tasks").exists()


def test_everything_that_does_not_fit_is_reported_at_once(tmp_path: Path) -> None:
    write_task(tmp_path, output_type="loglikelihood", gen_prefix="Say")
    with pytest.raises(
        BenchError, match=r"output_type is loglikelihood.*; it writes the beginning of the answer"
    ):
        import_task("organs", tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("path", "files"), [("nobody/nothing", None), ("json", {"data_files": {"test": "nowhere.jsonl"}})]
)
def test_data_that_cannot_be_loaded_are_reported_as_unavailable(
    tmp_path: Path, path: str, files: object
) -> None:
    write_task(tmp_path, dataset_path=path, dataset_kwargs=files)
    with pytest.raises(Unavailable, match="the data of lm-eval's task 'organs' cannot be loaded"):
        import_task("organs", tmp_path, tmp_path)


def test_names_that_lm_eval_does_not_know_are_refused(tmp_path: Path) -> None:
    write_task(tmp_path)
    group = {"group": "parts", "task": ["organs"]}
    (tmp_path / "parts.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
    with pytest.raises(UsageError, match=r"no folder .*elsewhere"):
        import_task("organs", tmp_path / "elsewhere", tmp_path)
    with pytest.raises(BenchError, match="'parts' is a group of lm-eval's tasks; import them one by one"):
        import_task("parts", tmp_path, tmp_path)
    known = TaskManager(include_path=tmp_path, include_defaults=False)
    with pytest.raises(UsageError, match="lm-eval has no task 'organ'; did you mean 'organs'"):
        _config(known, "organ")


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    write_task(tmp_path)
    (tmp_path / "tasks").write_text("a file", encoding="utf-8")
    with pytest.raises(BenchError, match="the task cannot be written to"):
        import_task("organs", tmp_path, tmp_path / "tasks")


def test_without_lm_eval_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "bench.lm_eval.model")
    for use in (
        lambda: import_task("organs", tmp_path, tmp_path),
        lambda: importlib.import_module("bench.lm_eval.model"),
    ):
        with pytest.raises(UsageError, match=r"pip install 'slm-bench\[lm-eval\]'"):
            use()
