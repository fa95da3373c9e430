"""The grammar of CloudWatch metric math: an expression's text becomes a tree that says where each part stands."""

import re
from dataclasses import dataclass
from typing import NamedTuple


class ExpressionError(ValueError):
    """An expression that cannot be read or computed; says what is wrong, and at which character."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(f"{problem} (character {position + 1})")


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float
    position: int


@dataclass(frozen=True)
class Name:
    """The id of a metric or of another expression."""

    id: str
    position: int


@dataclass(frozen=True)
class Word:
    """A capitalised word that is no function: how FILL fills."""

    text: str
    position: int


@dataclass(frozen=True)
class Negation:
    """The unary minus."""

    operand: "Node"
    position: int


@dataclass(frozen=True)
class Operation:
    """Two operands and the operator between them."""

    operator: str
    left: "Node"
    right: "Node"
    position: int


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: "tuple[Node, ...]"
    position: int


Node = Number | Name | Word | Negation | Operation | Call


class Token(NamedTuple):
    """A word or sign of an expression; `kind` is the name of its group in the pattern, or "end"."""

    kind: str
    text: str
    position: int


TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[a-z][A-Za-z0-9_]*)"
    r"|(?P<word>[A-Z][A-Z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),]))"
)

# From the loosest to the tightest; those of one line bind alike, and from the left.
OPERATORS = (
    {"OR": "OR", "||": "OR"},
    {"AND": "AND", "&&": "AND"},
    {sign: sign for sign in ("==", "!=", "<", ">", "<=", ">=")},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/"},
)


def tokenize(text: str) -> list[Token]:
    """Split an expression into its words and signs, ending with one of the kind "end"."""
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError(f"{text[start]!r} is not understood in metric math here", start)
        tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return [*tokens, Token("end", "", end)]


def parse(text: str) -> Node:
    """Read an expression, or raise an ExpressionError.

    AWS documents the operators, and not how tightly they bind: assumed is the order that every language shares. What
    is not there is refused: CloudWatch has no NOT.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    parser = _Parser(tokenize(text))
    tree = parser.binary(0)
    parser.expect("", "the end of the expression")
    return tree


class _Parser:
    """Recursive descent: each method reads one kind of phrase from where the one before it ended."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def advance(self) -> Token:
        token = self.token
        self.index += 1
        return token

    def expect(self, text: str, what: str) -> None:
        if self.token.text != text:
            found = repr(self.token.text) if self.token.text else "the end"
            raise ExpressionError(f"{what} was expected, not {found}", self.token.position)
        if text:
            self.advance()

    def binary(self, level: int) -> Node:
        if level == len(OPERATORS):
            return self.negation()
        left = self.binary(level + 1)
        while self.token.text in OPERATORS[level]:
            sign = self.advance()
            left = Operation(OPERATORS[level][sign.text], left, self.binary(level + 1), sign.position)
        return left

    def negation(self) -> Node:
        if self.token.text == "-":
            sign = self.advance()
            return Negation(self.negation(), sign.position)
        return self.power()

    def power(self) -> Node:
        base = self.operand()
        if self.token.text != "^":
            return base
        sign = self.advance()
        return Operation("^", base, self.negation(), sign.position)

    def operand(self) -> Node:
        token = self.advance() if self.token.kind != "end" else self.token
        match token.kind, token.text:
            case "number", text:
                return Number(float(text), token.position)
            case "name", text:
                return Name(text, token.position)
            case "word", text if self.token.text == "(":
                self.advance()
                return Call(text, self.arguments(), token.position)
            case "word", text:
                return Word(text, token.position)
            case "sign", "(":
                inner = self.binary(0)
                self.expect(")", "a closing parenthesis")
                return inner
        found = repr(token.text) if token.text else "the end"
        raise ExpressionError(f"a number, an id, a function or a parenthesis was expected, not {found}", token.position)

    def arguments(self) -> tuple[Node, ...]:
        arguments = [self.binary(0)]
        while self.token.text == ",":
            self.advance()
            arguments.append(self.binary(0))
        self.expect(")", "a comma or a closing parenthesis")
        return tuple(arguments)
