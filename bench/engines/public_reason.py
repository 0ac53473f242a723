"""Why a run failed, for readers who may not see its questions."""

from collections.abc import Sequence

from bench.engines.checked import call_of
from bench.engines.reply_checks import EngineMistake
from bench.errors import BenchError, OfItem
from bench.types import Item


def public_reason(reason: str, error: BaseException, items: Sequence[Item], *, is_ours: bool = True) -> str:
    """The reason with numbers, from 1, in the place of ids, and without texts; "" where it may quote any.

    Ids may be those of published data, and then they say which questions were asked. `is_ours` says whether
    the engine is one of this package: what another raises may hold anything.
    """
    match error:
        case EngineMistake():
            return reason.replace(error.text, error.without_texts(lambda item: _number(item, items)))
        case BenchError() if call_of(error) and not is_ours:
            return ""
        case OfItem(parts=(item, *_)):
            return error.without_texts(_number(item, items))
        case BenchError():
            return reason
        case _:
            return ""


def _number(item: str, items: Sequence[Item]) -> str:
    at = next((number for number, each in enumerate(items, start=1) if each.id == item), None)
    return f"question {at}" if at else "a question"
