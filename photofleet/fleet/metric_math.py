"""CloudWatch metric math, computed over time series whose data points stand at the same periods.

A point that CloudWatch does not have is None, and stays different from a point that is 0.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html says what each operator and
function makes of missing points, and is what the functions below follow. Supported is what scaling needs, which is
numbers, single series, IF and FILL; everything else is refused by name.
"""

import operator
from collections.abc import Callable, Mapping
from functools import cache
from itertools import accumulate

from photofleet.fleet.expressions import Call, ExpressionError, Name, Negation, Node, Number, Operation, Word, parse

Series = tuple[float | None, ...]
Value = float | Series


def evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    """Compute an expression over the series of its metrics, by their ids; all are of one length, the oldest first.

    Raises ExpressionError for what CloudWatch would refuse, as for a result that is not a time series.
    """
    if len({len(series) for series in metrics.values()}) != 1:
        raise ValueError("Metric math needs at least one metric, and the same number of periods of each.")
    value = _evaluate(_parse(expression), metrics)
    if isinstance(value, float):
        raise ExpressionError("the result is a number, not a time series", 0)
    return value


_parse = cache(parse)


def _evaluate(node: Node, metrics: Mapping[str, Series]) -> Value:
    match node:
        case Number(value):
            return value
        case Name(name, position):
            if name not in metrics:
                known = ", ".join(sorted(metrics))
                raise ExpressionError(f"no metric has the id {name!r}; there are {known}", position)
            return metrics[name]
        case Word(text, position):
            raise ExpressionError(f"{text} is a function, or no word of metric math", position)
        case Negation(operand, position):
            return _combine(operator.sub, 0.0, _evaluate(operand, metrics), position)
        case Operation(sign, left, right, position):
            return _combine(BINARY[sign], _evaluate(left, metrics), _evaluate(right, metrics), position)
        case Call("IF", _, _):
            return _if(node, metrics)
        case Call("FILL", _, _):
            return _fill(node, metrics)
        case Call(function, _, position):
            raise ExpressionError(f"{function} is not supported here; supported are FILL and IF", position)


def _divide(left: float, right: float) -> float | None:
    return left / right if right else None


def _power(left: float, right: float) -> float | None:
    try:
        result = left**right
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(result, complex) else result


# A point that would be divided by zero is dropped.
BINARY: dict[str, Callable[[float, float], float | None]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


def _combine(compute: Callable[[float, float], float | None], left: Value, right: Value, position: int) -> Value:
    """Apply an operator where a series has a point; where only one of two series has one, the other counts as 0."""
    if isinstance(left, float) and isinstance(right, float):
        result = compute(left, right)
        if result is None:
            raise ExpressionError("a number is divided by zero", position)
        return result
    series = [value for value in (left, right) if not isinstance(value, float)]
    present = [any(point is not None for point in points) for points in zip(*series, strict=True)]
    pairs = zip(_spread(left, len(present)), _spread(right, len(present)), strict=True)
    return tuple(
        compute(one or 0.0, other or 0.0) if here else None for here, (one, other) in zip(present, pairs, strict=True)
    )


def _spread(value: Value, size: int) -> Series:
    return (value,) * size if isinstance(value, float) else value


def _if(node: Call, metrics: Mapping[str, Series]) -> Series:
    """IF(condition, value[, otherwise]): a point where the condition has one, 0 for a value that is missing.

    A missing point of the condition, or of the last argument, leaves a gap.
    """
    values = [_evaluate(argument, metrics) for argument in node.arguments]
    sizes = [len(value) for value in values if not isinstance(value, float)]
    if not 2 <= len(values) <= 3 or not sizes:
        problem = "IF takes a condition, a value, and perhaps a value otherwise; one of them is a time series"
        raise ExpressionError(problem, node.position)
    otherwise = values[2] if len(values) == 3 else (None,) * sizes[0]
    columns = (_spread(value, sizes[0]) for value in (values[0], values[1], otherwise))
    return tuple(None if test is None else (yes or 0.0) if test else no for test, yes, no in zip(*columns, strict=True))


def _fill(node: Call, metrics: Mapping[str, Series]) -> Series:
    """FILL(series, number | series | REPEAT): every gap closed; REPEAT has nothing to close a gap at the start with."""
    if len(node.arguments) != 2:
        raise ExpressionError("FILL takes a time series and what to fill it with", node.position)
    series, filler = _evaluate(node.arguments[0], metrics), node.arguments[1]
    if isinstance(series, float):
        raise ExpressionError("the first argument of FILL must be a time series", node.position)
    if isinstance(filler, Word):
        if filler.text != "REPEAT":
            problem = "needs the point after the gap, which an alarm does not have yet; use REPEAT or a number"
            raise ExpressionError(f"{filler.text} {problem}", filler.position)
        return tuple(accumulate(series, lambda last, point: last if point is None else point))
    others = _spread(_evaluate(filler, metrics), len(series))
    return tuple(other if point is None else point for point, other in zip(series, others, strict=True))
