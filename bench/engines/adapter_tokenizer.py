"""The tokenizer of a model with an adapter: the adapter's own where its folder has one."""

from typing import Any, TypeVar

from pydantic import BaseModel, Field, RootModel, ValidationError
from transformers import AutoTokenizer

from bench.engines.auto_class import why_not
from bench.engines.fitting import vocabulary_size
from bench.engines.tokenizing import without_dropout
from bench.errors import BenchError
from bench.inputs.adapter import VOCABULARIES, Adapter, tokenizer_files
from bench.inputs.weights import Trust
from bench.numbers import Count
from bench.plain_files import read_bytes, read_text

TEMPLATE = "chat_template.jinja"
SETTINGS = "tokenizer_config.json"
ADDED = "added_tokens.json"
Model = TypeVar("Model", bound=BaseModel)


def adapter_tokenizer(adapter: Adapter, base: Any, model: Any, trust: Trust) -> Any:
    """The tokenizer in the adapter's folder; with only a chat template there, the base model's with it.

    Raises a BenchError where it cannot be read, or its ids are not those of the model's embeddings.
    """
    folder = adapter.path
    if not tokenizer_files(folder):
        return base
    if not any(path for pattern in VOCABULARIES for path in folder.glob(pattern)):
        return _with_template(adapter, base)
    try:
        own = AutoTokenizer.from_pretrained(
            folder, config=model.config, local_files_only=True, trust_remote_code=trust.code
        )
    except Exception as error:  # the tokenizer libraries may raise anything on bad files
        raise BenchError(f"the tokenizer of {adapter.name} cannot be loaded: {why_not(error)}") from error
    _check_ids(adapter, own, base, vocabulary_size(model))
    if own.chat_template is None:
        own.chat_template = base.chat_template
    return without_dropout(own)


def _check_ids(adapter: Adapter, own: Any, base: Any, rows: int) -> None:
    """Raises a BenchError for an added token without an embedding, or with the embedding of another token.

    Added tokens of the base, such as those reserved for later, may have other names.
    """
    theirs, ours = ({i: token for token, i in made.get_vocab().items()} for made in (base, own))
    last = max(ours.keys() - theirs.keys(), default=0)
    if last >= rows:
        text = f"adds the token {ours[last]!r} with id {last}, and the model has embeddings of {rows} tokens"
        remedy = "save the adapter with save_embedding_layers=True"
        raise BenchError(f"the tokenizer of {adapter.name} {text}; {remedy}")
    kept = ours.keys() & theirs.keys() - base.added_tokens_decoder.keys()
    moved = min((i for i in kept if ours[i] != theirs[i]), default=None)
    if moved is not None:
        text = f"has {ours[moved]!r} as token {moved}, where the model's own has {theirs[moved]!r}"
        raise BenchError(f"the tokenizer of {adapter.name} {text}; it was made for another model")


def _with_template(adapter: Adapter, base: Any) -> Any:
    """The base model's tokenizer with the adapter's chat template.

    Raises a BenchError where the adapter names tokens that the base model's tokenizer does not have.
    """
    settings = _read(adapter, SETTINGS, _Settings)
    listed = {token.content: index for index, token in settings.added_tokens_decoder.items()}
    vocabulary = base.get_vocab()
    for token, index in (listed | _read(adapter, ADDED, _Added).root).items():
        if vocabulary.get(token) != index:
            text = f"adds the token {token!r}, but has no tokenizer.json"
            raise BenchError(f"the adapter {adapter.name} {text}; save its whole tokenizer beside it")
    template = _template(adapter) or settings.chat_template
    if isinstance(template, tuple):
        template = {one.name: one.template for one in template}
    if template:
        base.chat_template = template
    return base


def _template(adapter: Adapter) -> str:
    """The adapter's template file; "" where it has none."""
    path = adapter.path / TEMPLATE
    try:
        return read_text(path) if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise BenchError(f"{TEMPLATE} of the adapter {adapter.name} is not UTF-8 text") from error


class _Token(BaseModel):
    content: str


class _Template(BaseModel):
    name: str
    template: str


class _Settings(BaseModel):
    """What counts of `tokenizer_config.json` where the folder has no vocabulary."""

    added_tokens_decoder: dict[Count, _Token] = Field(default_factory=dict[Count, _Token])
    chat_template: str | tuple[_Template, ...] | None = None


class _Added(RootModel[dict[str, Count]]):
    """`added_tokens.json`: ids by token."""

    root: dict[str, Count] = Field(default_factory=dict[str, Count])


def _read(adapter: Adapter, name: str, kind: type[Model]) -> Model:
    """The content of a JSON file; its defaults where there is no such file."""
    path = adapter.path / name
    if not path.is_file():
        return kind()
    try:
        return kind.model_validate_json(read_bytes(path))
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        reason = f"{place}: {wrong['msg']}" if place else wrong["msg"]
        raise BenchError(f"{name} of the adapter {adapter.name} is damaged: {reason}") from error
