"""What a results file of lm-eval says of task, model and circumstances, in our words."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from bench.inputs.data import items_digest
from bench.inputs.model_card import ModelCard, ProgramSource
from bench.interop.lm_eval_files import Results, ResultsFile, wrong
from bench.interop.lm_eval_task import own_name, own_version
from bench.runs.cell import identity
from bench.runs.result import CellFacts, Provenance, SplitFacts, TaskFacts, Variant
from bench.types import Dtype, Item, Quantization, ViewName

PROGRAM = "lm-eval"
NO_ENGINE = 0
"""The engine version of a run that no engine of ours made."""
_ASKED = (
    "doc_to_text", "doc_to_choice", "doc_to_target", "description", "target_delimiter",
    "fewshot_delimiter", "gen_prefix", "output_type",
)  # fmt: skip
"""What of a task's configuration can change a prompt; where its data lie is none of it."""
_PASSING = ("batch_size", "max_batch_size", "device", "parallelize", "cache_dir")
"""Arguments of lm-eval's models that change no answer but by rounding."""
_SECRET = re.compile(r"token(?!izer)|key|secret|passw|auth|credential|bearer|header|url", re.IGNORECASE)
_SECRETS_THEMSELVES = re.compile(r"\b(hf_|sk-|ghp_)\w{8,}|bearer ", re.IGNORECASE)


def cell_of(file: ResultsFile, task: str, items: Sequence[Item], view: ViewName) -> CellFacts:
    """What was asked, under an identity that no cell of ours can have."""
    told, asked = file.told, len(items)
    rows = _rows(file, task, asked)
    facts = CellFacts(
        id="",
        task=_task(told, task, view),
        model=_card(told),
        weights=told.config.model_sha or None,
        variant=_variant(told, task),
        data={"test": _split(told.configs[task], items, rows)},
        exemplar_ids=(),
        limit=asked if asked < rows else None,
        engine_version=NO_ENGINE,
        command=_command(told, task),
    )
    return facts.model_copy(update={"id": identity(facts)})


def provenance_of(told: Results) -> Provenance:
    """When it ended and what it ran with, as far as lm-eval says; it names no machine."""
    finished = ""
    if told.date is not None:
        end = told.date + (told.total_evaluation_time_seconds or 0)
        try:
            finished = datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
        except (OverflowError, OSError) as error:
            raise ValueError(f"date {end:g} is no time") from error
    versions = {"lm-eval": told.lm_eval_version, "transformers": told.transformers_version}
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
        device=told.config.device or "",
    )


def _rows(file: ResultsFile, task: str, asked: int) -> int:
    """How many documents the split has."""
    path, counts = file.samples_path(task), file.told.counts.get(task)
    if counts is None:
        if file.told.config.limit is not None:
            wrong(file.path, 0, "config.limit", "a part of the documents, and it does not say of how many")
        return asked
    if asked != counts.effective:
        wrong(path, 0, "", f"{asked} answers, and the results file says {counts.effective}")
    if asked > counts.original:
        wrong(path, 0, "", f"{asked} answers, and the results file says that there are {counts.original}")
    return counts.original


def _task(told: Results, name: str, view: ViewName) -> TaskFacts:
    config = told.configs[name]
    version = str(told.versions.get(name, "unknown"))
    system = told.system_instruction or ""
    asked = {key: re.sub(r" at 0x[0-9a-f]+", "", str(config.get(key))) for key in _ASKED}
    text = json.dumps({"asked": asked, "system": system}, sort_keys=True)
    return TaskFacts(
        name=own_name(name),
        version=own_version(version),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        title=f"{name} (lm-evaluation-harness)",
        description=f"Task '{name}', version {version}, of lm-evaluation-harness.",
        notice="",
        license="unknown",
        view=view,
        prompt=asked["doc_to_text"],
        system="\n\n".join(filter(None, [system, str(config.get("description") or "").strip()])),
    )


def _card(told: Results) -> ModelCard:
    """A card of its own: what lm-eval does not say of a model is unknown, whatever a card of ours says."""
    settings = _settings(told)
    name = told.model_name or str(settings.get("pretrained") or settings.get("model") or "model")
    # Of a folder its last part; what the hub calls ORG/NAME as a whole.
    last = name if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name) else name.rstrip("/").rpartition("/")[2]
    sha, count = told.config.model_sha, told.config.model_num_parameters
    return ModelCard(
        name=re.sub(r"[^a-z0-9_.-]", "-", last.lower()).lstrip("_.-") or "model",
        title=last or "model",
        family="unknown",
        engine=None,
        source=ProgramSource(program=PROGRAM, arguments=settings),
        architecture="unknown",
        parameters=count if count and count > 0 else None,
        context=told.max_length if told.max_length and told.max_length > 0 else None,
        license="unknown",
        chat=told.chat_template is not None,
        references=(f"https://huggingface.co/{name}",) if sha else (),
    )


def _settings(told: Results) -> dict[str, str | int | float | bool]:
    """What lm-eval was told of the model, but for secrets and what changes no answer."""
    given = _arguments(told.config.model_args)
    kept = {
        key: value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)
        for key, value in sorted(given.items())
        if key not in _PASSING and not _is_secret(key, value)
    }
    return {"model": told.config.model, **kept}


def _is_secret(key: str, value: object) -> bool:
    """By its name, by the names in it, or by its looks; a yes or no tells nothing."""
    if str(value) in ("True", "False"):
        return False
    within = "" if isinstance(value, str) else json.dumps(value, default=str)
    return bool(_SECRET.search(f"{key} {within}") or _SECRETS_THEMSELVES.search(str(value)))


def _arguments(told: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if not isinstance(told, str):
        return told or {}
    pairs = (word.partition("=") for word in told.split(",") if "=" in word)
    return {key.strip(): value for key, _, value in pairs}


def _variant(told: Results, task: str) -> Variant:
    config, shots = told.configs[task], told.shots.get(task, 0)
    sampler = (config.get("fewshot_config") or {}).get("sampler", "default")
    return Variant(
        dtype=_dtype(told.config.model_dtype or ""),
        exemplars=shots,
        seed=(told.config.fewshot_seed or 0) if shots else 0,
        prompt="plain" if told.chat_template is None else "chat",
        exemplar_choice="per_question" if shots and sampler != "first_n" else "fixed",
        quantize=_quantized(_settings(told)),
        program=PROGRAM,
    )


def _dtype(told: str) -> Dtype | None:
    name = told.removeprefix("torch.")
    return next((dtype for dtype in get_args(Dtype) if dtype == name), None)


def _quantized(settings: Mapping[str, object]) -> Quantization:
    """As transformers quantises by bitsandbytes, whose own 4 bits are fp4."""
    if str(settings.get("load_in_8bit")) == "True":
        return "int8"
    if str(settings.get("load_in_4bit")) == "True":
        return "nf4" if settings.get("bnb_4bit_quant_type") == "nf4" else "fp4"
    return "none"


def _split(config: Mapping[str, Any], items: Sequence[Item], rows: int) -> SplitFacts:
    source = " ".join(str(config[key]) for key in ("dataset_path", "dataset_name") if config.get(key))
    name = str(config.get("test_split") or config.get("validation_split") or "test")
    return SplitFacts(split=name, source=source or "unknown", rows=rows, sha256=items_digest(items))


def _command(told: Results, task: str) -> str:
    """lm-eval's command for the task alone, as far as the file tells it."""
    settings = _settings(told)
    model = str(settings.pop("model"))
    words = ["lm_eval", "--model", model]
    words += (
        ["--model_args", ",".join(f"{key}={value}" for key, value in settings.items())] if settings else []
    )
    words += ["--tasks", task, "--num_fewshot", str(told.shots.get(task, 0))]
    words += ["--apply_chat_template"] if told.chat_template is not None else []
    words += ["--limit", f"{told.config.limit:g}"] if told.config.limit is not None else []
    return shlex.join([*words, "--log_samples", "--output_path", "DIR"])
