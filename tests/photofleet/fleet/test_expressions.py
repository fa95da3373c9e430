"""The grammar of metric math: what is read how, and how what cannot be read is refused."""

import re

import pytest

from photofleet.fleet.expressions import ExpressionError
from photofleet.fleet.metric_math import evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("m + 2 * 3", 7),
        ("(m + 2) * 3", 9),
        ("m - 2 - 3", -4),
        ("8 / 4 / m", 2),
        ("-m * 2", -2),
        ("2 - -m", 3),
        ("m * -2 ^ 2", -4),
        ("m * 2 ^ -1", 0.5),
        ("m * 2 ^ 3 ^ 2", 512),
        ("m + 1 > 1 AND m < 2", 1),
        ("m < 1 OR m == 1 AND m != 2", 1),
        ("m > 1 || m >= 1 && m <= 1", 1),
        ("m*1.5", 1.5),
        (" \n m ", 1),
    ],
)
def test_operators_bind_as_everywhere(expression: str, value: float) -> None:
    assert evaluate(expression, {"m": (1.0,)}) == (value,)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "a number, an id, a function or a parenthesis was expected, not the end (character 1)"),
        ("m +", "a number, an id, a function or a parenthesis was expected, not the end (character 4)"),
        ("m + * m", "a number, an id, a function or a parenthesis was expected, not '*' (character 5)"),
        ("m m", "the end of the expression was expected, not 'm' (character 3)"),
        ("(m + 1", "a closing parenthesis was expected, not the end (character 7)"),
        ("IF(m, 1 2)", "a comma or a closing parenthesis was expected, not '2' (character 9)"),
        ("m = 1", "'=' is not understood in metric math here (character 3)"),
        ("MAX([m])", "'[' is not understood in metric math here (character 5)"),
        ("m + $", "'$' is not understood in metric math here (character 5)"),
        ("m AND NOT(m)", "NOT is not supported here; supported are FILL and IF (character 7)"),
        ("DIFF(m)", "DIFF is not supported here; supported are FILL and IF (character 1)"),
        ("REPEAT", "REPEAT is a function, or no word of metric math (character 1)"),
        ("m + other", "no metric has the id 'other'; there are m (character 5)"),
        ("Visible + m", "the end of the expression was expected, not 'isible' (character 2)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(expression: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(problem)):
        evaluate(expression, {"m": (1.0,)})
