"""Numbers and sizes as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import wording


@given(st.floats(0, 1))
def test_a_percentage_is_never_further_off_than_its_last_digit(value: float) -> None:
    assert abs(float(wording.percent(value).split("\u202f")[0]) - value * 100) <= 0.0501


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (wording.count(134515008), "135M"),
        (wording.count(1543714304), "1.54B"),
        (wording.count(999885952), "1B"),
        (wording.count(999499999), "999M"),
        (wording.counted(1, "row"), "1 row"),
        (wording.counted(0, "row"), "0 rows"),
        (wording.counted(1200, "row"), "1,200 rows"),
        (wording.count(None), "—"),
        (wording.size(98362432), "98.4\u202fMB"),
        (wording.size(999_600_000), "1\u202fGB"),
        (wording.size(None), "—"),
        (wording.number(17164.9), "17,165"),
        (wording.number(9.949), "9.95"),
        (wording.seconds(127.9), "2\u202fmin 8\u202fs"),
        (wording.seconds(4.21), "4.2\u202fs"),
        (wording.short_digest("sha256:16399c58348341"), "sha256:16399c5834"),
        (wording.short_digest(None), "—"),
    ],
)
def test_numbers_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected
