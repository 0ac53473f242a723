"""Why a run failed, for readers who may not see its questions."""

import pickle

import pytest

from bench.engines.checked import called
from bench.engines.public_reason import public_reason
from bench.engines.reply_checks import EngineMistake, mistake
from bench.errors import BenchError, OfItem
from bench.inputs.prompts import render
from bench.types import Item

ITEMS = [Item(name, f"Of {name}?", ("yes", "no"), 0) for name in ("patient-1", "patient-12", "7")]


def reason_of(error: BaseException) -> tuple[str, str]:
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    return str(error), public_reason(str(error), again, ITEMS)


def test_an_item_is_a_number_and_its_texts_are_left_out() -> None:
    reason, public = reason_of(OfItem("patient-12", "no token of the option 'yes', so stop", ["'yes'"]))
    assert reason == "item patient-12: no token of the option 'yes', so stop"
    assert public == "question 2: no token of the option …, so stop"
    assert reason_of(OfItem("unknown", "x"))[1] == "a question: x"


def test_the_place_in_a_template_stays() -> None:
    with pytest.raises(OfItem) as caught:
        render("{{ question }}\n{{ question.nothing }}", ITEMS[0])
    reason, public = reason_of(caught.value)
    assert reason.startswith("prompt: the template failed on item patient-1, line 2 of the template: ")
    assert public == "prompt: the template failed on question 1, line 2 of the template: …"


def test_the_ids_that_a_mistake_of_an_engine_names_are_numbers() -> None:
    error = EngineMistake("replied to 1 of 3 requests (missing: {of})", ["patient-12", "7"])
    reason, public = reason_of(error)
    assert reason == "the engine replied to 1 of 3 requests (missing: patient-12, 7)"
    assert public == "the engine replied to 1 of 3 requests (missing: question 2, question 3)"


@pytest.mark.parametrize(
    "names", [("1", "2", "3", "0"), ("a\tb", "a  c", "x" * 90, "d"), ("{of}", "{", "}", "")]
)
def test_no_id_of_any_form_is_shown(names: tuple[str, ...]) -> None:
    items = [Item(name, "Of what?", ("yes", "no"), 0) for name in names]
    error = mistake("gave {given} for 3 requests (missing: {of})", "Of what?", names)
    shown = public_reason(str(error), error, items)
    assert shown == (
        "the engine gave a text of 8 characters for 3 requests (missing: question 1, question 2, question 3"
        " and 1 more)"
    )


def test_other_errors_of_ours_stay_and_those_of_others_are_not_known_to_be_public() -> None:
    assert reason_of(BenchError("the weights are damaged"))[1] == "the weights are damaged"
    assert reason_of(ValueError("Of patient-1?"))[1] == ""


def test_an_error_that_the_engine_of_another_package_raises_may_say_anything() -> None:
    for error in (BenchError("Of patient-1? is broken"), OfItem("7", "Of patient-1? is broken")):
        with pytest.raises(BenchError), called("score"):
            raise error
        assert "Of patient-1?" in public_reason(str(error), error, ITEMS)
        assert public_reason(str(error), error, ITEMS, is_ours=False) == ""
