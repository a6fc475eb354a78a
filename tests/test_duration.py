import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from readiness.inventory.duration import Duration, seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("5s", 5.0),
        ("200ms", 0.2),
        ("1m", 60.0),
        ("2h", 7200.0),
        ("50us", 5e-5),
        ("1.5s", 1.5),
        ("1m30s", 90.0),
        ("5", 5.0),
        ("0.25", 0.25),
        (5, 5.0),
        (0, 0.0),
        (2.5, 2.5),
    ],
)
def test_durations_are_seconds(written: object, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)
    assert TypeAdapter(Duration).validate_python(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        *("", "s", "5 s", "5x", "-5s", "5s5", "1e3s", "٣s", "inf", "9" * 400),
        *(-1, True, None, [5], float("nan"), float("inf")),
    ],
)
def test_what_is_no_duration_is_told(written: object) -> None:
    with pytest.raises(ValueError, match=r"must be a duration\. Write it as in 5s, 200ms or 1m"):
        seconds(written)
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(written)


@given(st.text("0123456789.smhu"))
def test_any_text_is_a_duration_or_told(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except ValueError as error:
        assert str(error).startswith("must be a duration")
