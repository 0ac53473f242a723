"""The content of a results file of lm-eval -> our facts: task, model, variant, provenance."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from bench.folders import safe_name
from bench.inputs.data import items_digest
from bench.inputs.model_card import HubSource, ModelCard, ProgramSource
from bench.lm_eval.files import Results, ResultsFile, wrong
from bench.lm_eval.task import own_name, own_version
from bench.results.identity import identity
from bench.results.result import CellFacts, Provenance, SplitFacts, TaskFacts
from bench.results.variant import Variant
from bench.types import Dtype, Item, Quantization, ViewName

PROGRAM = "lm-eval"
NO_ENGINE = 0
"""The engine version of a run that none of our engines made."""
_ON_HUB = r"[\w-][\w.-]*/[\w.-]+"
_ADAPTERS = ("peft", "delta", "lora_local_path")
"""Model arguments of lm-eval's engines that name weights to add to the model."""
_PROMPT_KEYS = (
    "doc_to_text", "doc_to_choice", "doc_to_target", "description", "target_delimiter",
    "fewshot_delimiter", "gen_prefix", "output_type",
)  # fmt: skip
"""The keys of a task's configuration that can change a prompt. Where its data lie cannot."""
_IGNORED = ("batch_size", "max_batch_size", "device", "parallelize", "cache_dir")
"""Model arguments that change answers by rounding at most."""
_SECRET = re.compile(r"token(?!izer)|key|secret|passw|auth|credential|bearer|header|url", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(hf_|sk-|ghp_)\w{8,}|bearer ", re.IGNORECASE)


def cell_of(
    file: ResultsFile, task: str, items: Sequence[Item], view: ViewName, known: ModelCard | None = None
) -> CellFacts:
    """What was asked; `known` is the model's card, where there is one. Its identity is one that no cell of
    our own engines can have.
    """
    content, asked = file.content, len(items)
    rows = _rows(file, task, asked)
    facts = CellFacts(
        id="",
        task=_task(content, task, view),
        model=model_of(content, known),
        weights=content.config.model_sha or None,
        variant=_variant(content, task),
        data={"test": _split(content.configs[task], items, rows)},
        exemplar_ids=(),
        limit=asked if asked < rows else None,
        engine_version=NO_ENGINE,
        command=_command(content, task),
    )
    return facts.model_copy(update={"id": identity(facts)})


def provenance_of(content: Results) -> Provenance:
    """When the run ended and what it ran with. lm-eval does not report the machine."""
    finished = ""
    if content.date is not None:
        end = content.date + (content.total_evaluation_time_seconds or 0)
        try:
            finished = datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
        except (OverflowError, OSError) as error:
            raise ValueError(f"date {end:g} is not a point in time") from error
    versions = {"lm-eval": content.lm_eval_version, "transformers": content.transformers_version}
    return Provenance(
        finished=finished,
        bench_version="",
        git=None,
        python="",
        libraries={name: version for name, version in versions.items() if version not in ("", "N/A")},
        system="",
        processor="",
        cores=None,
        threads=None,
        memory_bytes=None,
        device=content.config.device or "",
    )


def _rows(file: ResultsFile, task: str, asked: int) -> int:
    """The number of documents in the split; raises a FileError where it contradicts the answers."""
    path, counts = file.samples_path(task), file.content.counts.get(task)
    if counts is None:
        if file.content.config.limit is not None:
            wrong(
                file.path,
                0,
                "config.limit",
                "only part of the documents was asked, and the file does not say how many there are",
            )
        return asked
    if asked != counts.effective:
        wrong(path, 0, "", f"{asked} answers, but the results file says {counts.effective}")
    if asked > counts.original:
        wrong(
            path,
            0,
            "",
            f"{asked} answers, but the results file says that there are only {counts.original} documents",
        )
    return counts.original


def _task(content: Results, name: str, view: ViewName) -> TaskFacts:
    """The task as its results file tells it; its name differs from that of the converted task `lm-eval:NAME`,
    whose questions are whole prompts, so that each has a table of its own.
    """
    config = content.configs[name]
    version = str(content.versions.get(name, "unknown"))
    system = content.system_instruction or ""
    prompt = {key: re.sub(r" at 0x[0-9a-f]+", "", str(config.get(key))) for key in _PROMPT_KEYS}
    text = json.dumps({"asked": prompt, "system": system}, sort_keys=True)
    return TaskFacts(
        name=f"imported-{own_name(name)}",
        version=own_version(version),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        title=f"{name} (imported from lm-evaluation-harness)",
        description=f"Task '{name}', version {version}, of lm-evaluation-harness.",
        notice="",
        license="unknown",
        view=view,
        prompt=prompt["doc_to_text"],
        system="\n\n".join(filter(None, [system, str(config.get("description") or "").strip()])),
    )


def model_of(content: Results, known: ModelCard | None = None) -> ModelCard:
    """A card made from the file: what lm-eval does not report stays unknown, even where one of our own cards
    knows it. If the caller says that `known` is the model's card, its facts are taken.

    Another adapter or revision is another model, with a name and a title of its own.
    """
    settings = _settings(content)
    given = _model_name(content, settings)
    added = [*_adapters(settings), *_revision(settings, known)]
    card = known or _unknown_model(content, given)
    context = content.max_length if content.max_length and content.max_length > 0 else card.context
    facts: dict[str, object] = {
        "name": safe_name("-".join([card.name, *added]), "model") if added else card.name,
        "title": " + ".join([card.title, *added]),
        "engine": None,
        "settings": {},
        "source": ProgramSource(program=PROGRAM, arguments=settings),
        "context": context,
    }
    return card.model_copy(update=facts)


def _unknown_model(content: Results, given: str) -> ModelCard:
    sha, count = content.config.model_sha, content.config.model_num_parameters
    return ModelCard(
        name=_card_name(given),
        title=_short(given, 2) or "model",
        family="unknown",
        engine=None,
        architecture="unknown",
        parameters=count if count and count > 0 else None,
        license="unknown",
        chat=content.chat_template is not None,
        references=(f"https://huggingface.co/{given}",) if sha else (),
    )


def _card_name(given: str) -> str:
    """A model's name as that of a card. The hub takes no two names that differ in their case alone."""
    short = _short(given, 1)
    return safe_name(short.lower().replace("/", "-") if re.fullmatch(_ON_HUB, short) else short, "model")


def _model_name(content: Results, settings: Mapping[str, object]) -> str:
    """The model's folder or name on the hub. lm-eval itself names a model with an adapter by its adapter."""
    base = settings.get("pretrained") or settings.get("model")
    if any(settings.get(key) for key in _ADAPTERS):
        return str(base)
    return content.model_name or str(base)


def other_model(content: Results, known: ModelCard | None) -> list[str]:
    """A note where lm-eval names another model on the hub than the card that the caller gave."""
    name = _model_name(content, _settings(content))
    hub = known.source.hub if known and isinstance(known.source, HubSource) else name
    if hub.casefold() == name.casefold() or not re.fullmatch(_ON_HUB, name):
        return []
    return [f"lm-eval ran {name}, and the card is of {hub}"]


def _short(name: str, parts: int) -> str:
    """The last parts of a folder's path, but all of ORG/NAME on the hub."""
    if re.fullmatch(_ON_HUB, name):
        return name
    return "/".join(name.strip("/").split("/")[-parts:])


def _adapters(settings: Mapping[str, object]) -> list[str]:
    return [_short(str(settings[key]), 2) for key in _ADAPTERS if settings.get(key)]


def _revision(settings: Mapping[str, object], known: ModelCard | None) -> list[str]:
    """The revision of the model, unless it is the usual one or that of its card."""
    revision = str(settings.get("revision") or "main")
    usual = {"main"} | ({known.source.revision} if known and isinstance(known.source, HubSource) else set())
    return [] if revision in usual else [revision]


def _settings(content: Results) -> dict[str, str | int | float | bool]:
    """The model arguments, without secrets and without what changes no answer."""
    arguments = _arguments(content.config.model_args)
    kept = {
        key: value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)
        for key, value in sorted(arguments.items())
        if key not in _IGNORED and not _is_secret(key, value)
    }
    return {"model": content.config.model, **kept}


def _is_secret(key: str, value: object) -> bool:
    """Judged by its name, by the names in it, or by its form. A boolean is never secret."""
    if str(value) in ("True", "False"):
        return False
    nested = "" if isinstance(value, str) else json.dumps(value, default=str)
    return bool(_SECRET.search(f"{key} {nested}") or _SECRET_VALUE.search(str(value)))


def _arguments(given: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """By name, from a dictionary or from lm-eval's `name=value,name=value`."""
    if not isinstance(given, str):
        return given or {}
    pairs = (word.partition("=") for word in given.split(",") if "=" in word)
    return {key.strip(): value for key, _, value in pairs}


def _variant(content: Results, task: str) -> Variant:
    config, shots = content.configs[task], content.shots.get(task, 0)
    sampler = (config.get("fewshot_config") or {}).get("sampler", "default")
    return Variant(
        dtype=_dtype(content.config.model_dtype or ""),
        exemplars=shots,
        seed=(content.config.fewshot_seed or 0) if shots else 0,
        prompt="plain" if content.chat_template is None else "chat",
        exemplar_choice="per_question" if shots and sampler != "first_n" else "fixed",
        quantize=_quantization(_settings(content)),
        program=PROGRAM,
    )


def _dtype(torch_name: str) -> Dtype | None:
    name = torch_name.removeprefix("torch.")
    return next((dtype for dtype in get_args(Dtype) if dtype == name), None)


def _quantization(settings: Mapping[str, object]) -> Quantization:
    """As transformers reads these arguments of bitsandbytes: 4 bits are fp4 unless nf4 is asked for."""
    if str(settings.get("load_in_8bit")) == "True":
        return "int8"
    if str(settings.get("load_in_4bit")) == "True":
        return "nf4" if settings.get("bnb_4bit_quant_type") == "nf4" else "fp4"
    return "none"


def _split(config: Mapping[str, Any], items: Sequence[Item], rows: int) -> SplitFacts:
    source = " ".join(str(config[key]) for key in ("dataset_path", "dataset_name") if config.get(key))
    name = str(config.get("test_split") or config.get("validation_split") or "test")
    return SplitFacts(split=name, source=source or "unknown", rows=rows, sha256=items_digest(items))


def _command(content: Results, task: str) -> str:
    """lm-eval's command for this task alone, as far as the file reports it."""
    settings = _settings(content)
    model = str(settings.pop("model"))
    words = ["lm_eval", "--model", model]
    words += (
        ["--model_args", ",".join(f"{key}={value}" for key, value in settings.items())] if settings else []
    )
    words += ["--tasks", task, "--num_fewshot", str(content.shots.get(task, 0))]
    words += ["--apply_chat_template"] if content.chat_template is not None else []
    words += ["--limit", f"{content.config.limit:g}"] if content.config.limit is not None else []
    return shlex.join([*words, "--log_samples", "--output_path", "DIR"])
