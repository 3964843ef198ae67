"""Parses a line of the step language: an operator-precedence parser with bounded depth.

It decides only the form of a line. It refuses what can be read in two ways, such as `6 / 2x` and `3/4 ^ 2`. `grammar`
defines the precedences and words.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from tuili.steps.language import grammar, terms
from tuili.steps.language.lexer import END_OF_LINE, Token, tokenize
from tuili.steps.language.terms import Step, Term
from tuili.steps.verdict import Unreadable

MAX_DEPTH = 50
"""The maximum number of nested levels."""
MAX_OPERATORS = 120

_POWERS = frozenset({"^", "**"})
_DIVISIONS = frozenset({"/", "//", "div", "mod", "%"})
_TWO_PART_LITERALS = frozenset({"ratio", "unit"})


def _relation(parts: Sequence[tuple[Term, bool]]) -> terms.Compare | terms.Binary:
    """The relation between the sides of a loose `=`. `parts` holds each side, and whether it is a bare comparison.

    If a side other than a bare comparison has the form of a truth value, truth values are compared: `3 < 5 = true`.
    Otherwise bare comparisons join the chain: `1 < 2 = 2`.
    """
    sides = [term for term, _ in parts]
    if any(terms.is_boolean(term) and not bare for term, bare in parts):
        if len(sides) > 1:
            return terms.Compare(sides[0], tuple(("=", term) for term in sides[1:]))
        if isinstance(sides[0], terms.Binary) and sides[0].op in grammar.MEMBERSHIP:
            return sides[0]
        raise Unreadable("no relation such as '='")
    links: list[tuple[str, Term]] = []
    for term, bare in parts:
        links.append(("=", term.first if bare and isinstance(term, terms.Compare) else term))
        if bare and isinstance(term, terms.Compare):
            links.extend(term.rest)
    if len(links) < 2:
        raise Unreadable("no relation such as '='")
    return terms.Compare(links[0][1], tuple(links[1:]))


class Parser:
    """Reads one line. Its methods consume tokens from the left, and raise `Unreadable` for what they cannot read."""

    def __init__(self, line: str) -> None:
        self._tokens = tokenize(line)
        self._at = 0
        self._depth = 0
        self._operators = 0
        self._loose_equals = False
        self._group: Term | None = None  # the last term read in brackets
        self._product: Term | None = None  # the last product written without an operator

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token is not END_OF_LINE:
            self._at += 1
        return token

    def accept(self, text: str) -> bool:
        """Consumes the next token if it is the given operator, bracket or word. Returns whether it was."""
        token = self._tokens[self._at]
        if token.text == text and token is not END_OF_LINE:
            self._at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Consumes the next token. Refuses the line if it is not the given one."""
        if not self.accept(text):
            raise Unreadable(f"expected {text!r}, found {self._next.text!r}")

    def finish(self) -> None:
        """Refuses the line if any tokens are left."""
        token = self._next
        if token is not END_OF_LINE:
            previous = self._tokens[self._at - 1] if self._at else END_OF_LINE
            if token.kind == "name" and previous.kind in ("number", "ratio"):
                raise Unreadable(f"unknown unit {token.text!r}")
            raise Unreadable(f"unexpected {token.text!r}")

    def step(self) -> Step:
        """A whole line."""
        texts = [token.text for token in self._tokens]
        if "=>" in texts:
            return self.inference()
        if texts[:2] == ["for", "all"]:
            return self.universal()
        if texts[1:2] == ["="] and ":" in texts:
            return self.instance()
        if len(self._tokens) > 2 and self._tokens[0].kind == "name" and self._tokens[1].text == ":":
            label = self.name()
            self.expect(":")
            return terms.Trace(label, self.claim())
        return self.claim()

    def inference(self) -> terms.Inference:
        """`premise, premise => conclusion`."""
        premises = [self.statement()]
        while self.accept(","):
            premises.append(self.statement())
        self.expect("=>")
        conclusion = self.statement()
        self.finish()
        return terms.Inference(tuple(premises), conclusion)

    def universal(self) -> terms.Universal:
        """`for all integers n >= 1, k: hypothesis and hypothesis -> conclusion`."""
        self._at = 2
        integers = self.accept("integers")
        variables = [self._variable()]
        while self.accept(","):
            variables.append(self._variable())
        self.expect(":")
        statement = self.expression()
        self.finish()
        if len({variable.name for variable in variables}) < len(variables):
            raise Unreadable("a variable is named twice")
        hypotheses: list[Term] = []
        if isinstance(statement, terms.Binary) and statement.op == "->":
            hypotheses, statement = terms.conjuncts(statement.left), statement.right
        comparisons = [part for part in hypotheses if isinstance(part, terms.Compare)]
        if not isinstance(statement, terms.Compare) or len(comparisons) < len(hypotheses):
            raise Unreadable("what holds for all is a relation, or 'relation and relation -> relation'")
        return terms.Universal(tuple(variables), integers, tuple(comparisons), statement)

    def _variable(self) -> terms.Variable:
        name = self.name()
        if not self.accept(">="):
            return terms.Variable(name)
        sign = -1 if self.accept("-") else 1
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            raise Unreadable(f"expected an integer, found {token.text!r}")
        return terms.Variable(name, sign * int(token.text))

    def instance(self) -> terms.Instance:
        """`a = 1, b = 2: (a + b)^2 = 9 != 5 = a^2 + b^2`."""
        values: list[tuple[str, Term]] = []
        while not values or self.accept(","):
            name = self.name()
            self.expect("=")
            values.append((name, self.expression(grammar.COMPARISON_PRECEDENCE)))
        self.expect(":")
        relation = self.claim().relation
        if not isinstance(relation, terms.Compare) or len(dict(values)) < len(values):
            raise Unreadable("values, each name once, and a relation such as '=' are expected")
        return terms.Instance(tuple(values), relation)

    def claim(self) -> terms.Claim:
        """A chain of relations, in which `=` binds loosest of all: `true and not false = false`."""
        self._loose_equals = True
        parts = [self._part()]
        while self.accept("="):
            parts.append(self._part())
        self._loose_equals = False
        self.finish()
        return terms.Claim(_relation(parts))

    def _part(self) -> tuple[Term, bool]:
        """One side of a loose `=`, and whether it is a comparison without brackets around it."""
        self._group = None
        term = self.expression()
        return term, isinstance(term, terms.Compare) and term is not self._group

    def statement(self) -> Term:
        """A premise or conclusion."""
        if self._next.text in grammar.QUANTIFIERS:
            quantifier = self._take().text
            subject = self.name()
            self.expect("are")
            negated = quantifier == "some" and self.accept("not")
            return terms.Categorical(quantifier, subject, self.name(), negated)
        return self.expression()

    def name(self) -> str:
        """An identifier that is not a word of the language."""
        token = self._take()
        if token.kind != "name" or token.text in grammar.KEYWORDS:
            raise Unreadable(f"expected a name, found {token.text!r}")
        return token.text

    def descend(self) -> None:
        """Counts one more level of nesting. Refuses the line beyond `MAX_DEPTH`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH}")

    def expression(self, minimum: int = 0) -> Term:
        """A term whose operators all have a precedence above `minimum`."""
        self.descend()
        left = self._postfix(self._prefix())
        while True:
            token = self._next
            op = grammar.OPERATOR_SPELLINGS.get(token.text, token.text)
            precedence = grammar.PRECEDENCE.get(op, 0)
            if precedence <= minimum or (op == "=" and self._loose_equals):
                break
            if op in grammar.RELATIONS:
                left = self._comparison(left)
                continue
            self._count_operator()
            if op == "^" and self._tokens[self._at - 1].kind in _TWO_PART_LITERALS:
                raise Unreadable("ambiguous power: put brackets round its base")
            self._take()
            right = self.expression(precedence - 1 if op in grammar.RIGHT_ASSOCIATIVE else precedence)
            left = terms.Binary(op, left, right)
        self._depth -= 1
        return left

    def _comparison(self, first: Term) -> terms.Compare:
        rest: list[tuple[str, Term]] = []
        while (op := self._next.text) in grammar.RELATIONS and not (op == "=" and self._loose_equals):
            self._count_operator()
            if op == "!=" and not self._next.spaced:
                raise Unreadable("'!=' without a space before it may be a factorial")
            self._take()
            rest.append((op, self.expression(grammar.COMPARISON_PRECEDENCE)))
        if self._next.text in grammar.MEMBERSHIP:
            raise Unreadable("a comparison that goes on after another one")
        return terms.Compare(first, tuple(rest))

    def _count_operator(self) -> None:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise Unreadable(f"more than {MAX_OPERATORS} operators")

    def _refuse_after(self, operators: frozenset[str], what: str) -> None:
        """Refuses the literal that was just read if it is the right operand of one of the operators.

        `what` names the literal in the message.
        """
        at = self._at - 2
        while at >= 0 and self._tokens[at].text == "-":
            at -= 1
        if at >= 0 and self._tokens[at].text in operators:
            raise Unreadable(f"ambiguous {what} after {self._tokens[at].text!r}: put brackets round it")

    def _prefix(self) -> Term:
        token = self._take()
        match token.kind:
            case "number":
                return self._number(token)
            case "ratio":
                self._refuse_after(_DIVISIONS | _POWERS, "fraction")
                numerator, denominator = token.text.split("/")
                return self._measured(terms.Ratio(int(numerator), int(denominator)))
            case "date":
                return terms.Day(*map(int, token.text.split("-")))
            case "month":
                return terms.Month(*map(int, token.text.split("-")))
            case "clock":
                return terms.Clock(*map(int, token.text.split(":")))
            case "name":
                return self._word(token)
        match token.text:
            case "-":
                return self._negative()
            case "(":
                self._group = self._only(")")
                return self._group
            case "{":
                return terms.Collection("{}", self._bracketed("}"))
            case "[":
                return terms.Collection("[]", self._bracketed("]"))
        raise Unreadable(f"expected a term, found {token.text!r}")

    def _number(self, token: Token) -> Term:
        whole, _, decimals = token.text.partition(".")
        number = terms.Number(Fraction(int(whole + decimals), 10 ** len(decimals)), len(decimals))
        following = self._next
        is_name = following.kind == "name" and following.text.isascii()  # `3个` is not a product
        if is_name and not following.spaced and following.text not in grammar.KEYWORDS:
            self._refuse_after(_DIVISIONS | _POWERS, "product")
            self._count_operator()
            self._product = terms.Binary("*", number, self.expression(grammar.SIGN_PRECEDENCE))
            return self._product
        return self._measured(number)

    def _negative(self) -> Term:
        self._count_operator()
        operand = self.expression(grammar.SIGN_PRECEDENCE)
        if operand is self._product and isinstance(operand, terms.Binary):
            return terms.Binary("*", terms.Unary("-", operand.left), operand.right)  # -2x is (-2) * x
        return terms.Unary("-", operand)

    def _measured(self, number: terms.Number | terms.Ratio) -> Term:
        unit = self._next.unit
        if unit is None:
            return number
        self._refuse_after(_POWERS, "quantity")
        self._take()
        return terms.Measure(number, unit)

    def _word(self, token: Token) -> Term:
        word = token.text
        if word in ("true", "false"):
            return terms.Boolean(word == "true")
        if word in grammar.WEEKDAYS:
            return terms.WeekdayName(word)
        if word == "not":
            self._count_operator()
            return terms.Unary("not", self.expression(grammar.NOT_PRECEDENCE))
        if word in grammar.KEYWORDS:
            raise Unreadable(f"expected a term, found {word!r}")
        if word in grammar.FUNCTIONS and self._next.text == "(":
            self._take()
            match self._bracketed(")", is_sum=word == "sum"):
                case (terms.Sum() as total,) if word == "sum":
                    return total
                case arguments:
                    return terms.Call(word, arguments)
        return terms.Name(word)

    def _postfix(self, term: Term) -> Term:
        while True:
            token = self._next
            if token.text == "!" or (token.text == "%" and not token.spaced):
                previous = self._tokens[self._at - 1]
                if previous.kind in _TWO_PART_LITERALS or previous.text == token.text == "!":
                    raise Unreadable(f"ambiguous {token.text!r}: put brackets round its operand")
                self._count_operator()
                self._take()
                term = terms.Unary(token.text, term)
            elif token.text == "[" and not token.spaced:
                self._count_operator()
                self._take()
                term = terms.Index(term, self._only("]"))
            else:
                return term

    def _only(self, closing: str) -> Term:
        """The one term before the closing bracket."""
        inner = self._bracketed(closing)
        if len(inner) != 1:
            raise Unreadable(f"expected one term before {closing!r}")
        return inner[0]

    def _sum(self, body: Term) -> terms.Sum:
        """Parses the rest of a sum whose body has been read, from the variable on: `k from 1 to n`."""
        self._count_operator()
        variable = self.name()
        self.expect("from")
        low = self.expression(grammar.COMPARISON_PRECEDENCE)
        self.expect("to")
        return terms.Sum(body, variable, low, self.expression(grammar.COMPARISON_PRECEDENCE))

    def _bracketed(self, closing: str, is_sum: bool = False) -> tuple[Term, ...]:
        """The terms between commas up to the closing bracket. Inside brackets `=` binds like any other relation."""
        loose, self._loose_equals = self._loose_equals, False
        items: list[Term] = []
        if not self.accept(closing):
            items.append(self.expression())
            if is_sum and self.accept("for"):
                items = [self._sum(items[0])]
            while self.accept(","):
                items.append(self.expression())
            self.expect(closing)
        self._loose_equals = loose
        return tuple(items)


def parse(line: str) -> Step:
    """The typed form of a line. A line outside the step language becomes `Prose` with the reason. Never raises."""
    if not issubclass(type(line), str):  # typed as a text, but lines come from anywhere
        return terms.Prose(repr(line)[:40], f"not a text but {type(line).__name__}")
    return _parse(line)


@lru_cache(maxsize=16)  # a line is read to be decided, and again for the context after it
def _parse(line: str) -> Step:
    try:
        return Parser(line).step()
    except Unreadable as fault:
        return terms.Prose(line, str(fault))


@lru_cache(maxsize=256)
def parse_statement(text: str) -> Term:
    """A premise or conclusion on its own, as in the labelled facts of a prompt. Raises `Unreadable`."""
    parser = Parser(text)
    statement = parser.statement()
    parser.finish()
    return statement
