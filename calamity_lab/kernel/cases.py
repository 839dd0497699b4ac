"""What a callback does for one class of messages, read from its source without calling it.

``paths(Account, "execute", Deposit)`` follows the code of ``Account.execute`` as it runs for a `Deposit`:
into the cases of ``match`` and the branches of ``isinstance`` that take a `Deposit`, and past all others.
What the class alone does not decide counts as possible. Where the source is not known, or where it does not
decide by class, there is no answer, so that nobody reads what may not be so.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, singledispatchmethod
from tokenize import TokenError
from types import CodeType, FunctionType, ModuleType
from typing import Any

from calamity_lab.kernel.annotations import closed_over, union_members

# A generator or a coroutine does not return what its code returns.
_NOT_PLAIN = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class _Unclear(Exception):
    """The source does not say what happens."""


@dataclass(slots=True)
class Paths:
    """What a callback may do for one class of messages.

    ``named``: a case or a branch names the class, or a base of it. ``has_default``: a case takes all that no
    other case took. ``returned`` are the expressions that it may return; None where it reaches its end.
    ``classes`` are all classes that the code tests the message for.
    """

    function: FunctionType
    named: bool = False
    has_default: bool = False
    returned: list[ast.expr | None] = field(default_factory=list)
    classes: list[type] = field(default_factory=list)

    @property
    def has_no_case(self) -> bool:
        """Whether the code tests for classes, and takes the message for none of them."""
        return bool(self.classes) and not (self.named or self.has_default)

    @property
    def falls_through(self) -> bool:
        """Whether it has no case, and comes to its end; ``return None`` is written on purpose."""
        return self.has_no_case and self.returned == [None]

    @property
    def returns_none(self) -> bool:
        """Whether None is all that it may return."""
        return bool(self.returned) and all(value is None or _is_none(value) for value in self.returned)

    def made(self) -> Iterator[Any]:
        """What makes each value that the code may return, alone or in a list; None where not known."""
        for value in self.returned:
            for each in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
                if each is not None and not _is_none(each):
                    yield meaning(self.function, each.func) if isinstance(each, ast.Call) else None


def has_no_case(aggregate: Any, command: type) -> bool:
    """Whether ``execute`` decides by class, and falls through for a command of this class."""
    found = paths(aggregate, "execute", command) if isinstance(aggregate, type) else None
    return found is not None and found.falls_through


def paths(cls: type, method: str, message: type) -> Paths | None:
    """What the callback of a class does for messages of that class; None where the source does not say."""
    member = inspect.getattr_static(cls, method, None)
    if isinstance(member, singledispatchmethod):
        return _of_dispatch(member, message)
    return _followed(member, message)


def functions_of(cls: type, method: str) -> tuple[FunctionType, ...]:
    """The functions that are a callback: one, or one per class of messages."""
    member = inspect.getattr_static(cls, method, None)
    several = member.dispatcher.registry.values() if isinstance(member, singledispatchmethod) else [member]
    plain = [getattr(each, "__func__", each) for each in several]
    return tuple(each for each in plain if isinstance(each, FunctionType))


def classes_tested(cls: type, method: str) -> tuple[type, ...]:
    """The classes that a callback tests its message for, where the source says so."""
    member = inspect.getattr_static(cls, method, None)
    if isinstance(member, singledispatchmethod):
        return tuple(known for known in member.dispatcher.registry if known is not object)
    found = _followed(member, _Stranger)
    return () if found is None else tuple(dict.fromkeys(found.classes))


class _Stranger:
    """Stands for a message of which no callback knows the class."""


def _of_dispatch(member: Any, message: type) -> Paths | None:
    registered = member.dispatcher.dispatch(message)
    found = _followed(registered, message)
    if found is not None:
        found.classes.extend(known for known in member.dispatcher.registry if known is not object)
        found.named = registered is not member.dispatcher.registry.get(object)
    return found


def _followed(member: Any, message: type) -> Paths | None:
    function = getattr(member, "__func__", member)
    if not isinstance(function, FunctionType) or function.__code__.co_flags & _NOT_PLAIN:
        return None
    tree = source_of(function.__code__)
    position = 0 if isinstance(member, staticmethod) else 1
    arguments = [] if tree is None else [*tree.args.posonlyargs, *tree.args.args]
    if tree is None or len(arguments) <= position:
        return None
    walk = _Walk(Paths(function), arguments[position].arg, message)
    try:
        if walk.follow(tree.body):
            walk.paths.returned.append(None)
    except _Unclear:
        return None
    return walk.paths


@lru_cache(maxsize=1024)
def source_of(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The source of a function; None where it is not known, or is no longer that of the code."""
    # `inspect.getsource` looks through all modules before it reads the file.
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    try:
        tree = ast.parse(textwrap.dedent("".join(inspect.getblock(lines)))).body[0]
    except (SyntaxError, ValueError, IndexError, TokenError):
        return None
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) or tree.name != code.co_name:
        return None
    written = {part for node in ast.walk(tree) for part in _words(node)}
    # A file that was changed after the import has other names.
    return tree if set(_names(code)) <= written else None


@lru_cache(maxsize=1024)
def calls_alone(code: CodeType) -> tuple[ast.Call, ...]:
    """The calls in a function that are statements of their own, of which nobody uses the value."""
    source = source_of(code)
    statements = () if source is None else ast.walk(source)
    values = [statement.value for statement in statements if isinstance(statement, ast.Expr)]
    return tuple(value for value in values if isinstance(value, ast.Call))


def _words(node: ast.AST) -> Iterator[str]:
    for word in ("id", "attr", "name", "arg", "asname", "module"):
        yield from str(getattr(node, word, None) or "").split(".")
    yield from getattr(node, "kwd_attrs", ())


def _names(code: CodeType) -> Iterator[str]:
    yield from (name for name in (*code.co_names, *code.co_freevars) if not name.startswith("__"))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@dataclass
class _Walk:
    """Follows statements as they run for a message of one class, and notes what they may do."""

    paths: Paths
    parameter: str
    message: type

    def follow(self, statements: Iterable[ast.stmt]) -> bool:
        """Follow statements in order; returns whether the code may go on behind them."""
        return all(self._follow(statement) for statement in statements)

    def _follow(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Return(value=value):
                self._returns(value)
                return False
            case ast.Raise() | ast.Break() | ast.Continue():
                return isinstance(statement, (ast.Break, ast.Continue))
            case ast.If(test=test, body=body, orelse=orelse):
                return self._branch(test, body, orelse)
            case ast.Match():
                return self._match(statement)
            case ast.Assert(test=test):
                return self._verdict(test) is not False
            case ast.Try() | ast.With() | ast.For() | ast.While():
                return self._block(statement)
        if self.parameter in _assigned(statement):
            raise _Unclear
        return True

    def _block(self, statement: ast.stmt) -> bool:
        if self.parameter in _assigned(statement):
            raise _Unclear
        match statement:
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                ways = [self.follow([*body, *orelse]), *(self.follow(each.body) for each in handlers)]
                return self.follow(finalbody) and any(ways)
            case ast.With(body=body):
                self.follow(body)
            case ast.For(body=body, orelse=orelse) | ast.While(body=body, orelse=orelse):
                self.follow(body)
                self.follow(orelse)
        return True

    def _branch(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> bool:
        verdict = self._verdict(test)
        if verdict is not None:
            return self.follow(body if verdict else orelse)
        ways = [self.follow(body), self.follow(orelse)]
        return any(ways)

    def _match(self, statement: ast.Match) -> bool:
        goes_on = False
        for case in statement.cases:
            verdict = self._pattern(case.pattern, self._is_message(statement.subject), statement.subject)
            if verdict is False:
                continue
            goes_on |= self.follow(case.body)
            if verdict and case.guard is None:
                self.paths.has_default |= _is_wildcard(case.pattern)
                return goes_on
        return True

    def _pattern(
        self, pattern: ast.pattern, is_message: bool, subject: ast.expr | None = None
    ) -> bool | None:
        """Whether a pattern takes the message: True, False, or None where its class does not decide."""
        match pattern:
            case ast.MatchAs(pattern=None):
                return True
            case ast.MatchAs(pattern=inner) if inner is not None:
                return self._pattern(inner, is_message, subject)
            case ast.MatchOr(patterns=patterns):
                return _any([self._pattern(each, is_message, subject) for each in patterns])
            case ast.MatchClass(cls=cls, patterns=patterns, kwd_patterns=keyed) if is_message:
                if not self._is_of(cls):
                    return False
                return True if all(_is_wildcard(each) for each in (*patterns, *keyed)) else None
            case ast.MatchSequence(patterns=patterns) if isinstance(subject, ast.Tuple):
                if len(subject.elts) != len(patterns):
                    return None
                pairs = zip(patterns, subject.elts, strict=True)
                return _all([self._pattern(each, self._is_message(part)) for each, part in pairs])
        return None

    def _verdict(self, test: ast.expr) -> bool | None:
        """Whether a test holds for the message: True, False, or None where its class does not decide."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                verdict = self._verdict(operand)
                return None if verdict is None else not verdict
            case ast.BoolOp(op=ast.And(), values=values):
                return _all([self._verdict(value) for value in values])
            case ast.BoolOp(values=values):
                return _any([self._verdict(value) for value in values])
            case ast.Call(func=ast.Name(id="isinstance"), args=[given, cls]) if self._is_message(given):
                return self._is_of(cls)
            case ast.Compare(left=left, ops=[ast.Is() | ast.Eq()], comparators=[cls]) if self._is_type(left):
                return self._is_of(cls, exactly=True)
            case ast.Compare(left=left, ops=[ast.In()], comparators=[cls]) if self._is_type(left):
                return self._is_of(cls, exactly=True)
        return None

    def _is_of(self, expression: ast.expr, *, exactly: bool = False) -> bool:
        """Whether the message is of the class, or of one of the classes, that an expression names."""
        classes = list(self._classes(expression))
        self.paths.classes.extend(classes)
        found = any(self.message is cls if exactly else issubclass(self.message, cls) for cls in classes)
        self.paths.named |= found
        return found

    def _classes(self, expression: ast.expr) -> Iterator[type]:
        if isinstance(expression, (ast.Tuple, ast.List, ast.Set)):
            for each in expression.elts:
                yield from self._classes(each)
        elif isinstance(expression, ast.BinOp):
            yield from self._classes(expression.left)
            yield from self._classes(expression.right)
        else:
            meant = meaning(self.paths.function, expression)
            for cls in meant if isinstance(meant, tuple) else union_members(meant or _Unclear()):
                if not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
                    raise _Unclear
                yield cls

    def _returns(self, value: ast.expr | None) -> None:
        if not isinstance(value, ast.IfExp):
            self.paths.returned.append(ast.Constant(None) if value is None else value)
            return
        verdict = self._verdict(value.test)
        if verdict is not False:
            self._returns(value.body)
        if verdict is not True:
            self._returns(value.orelse)

    def _is_message(self, expression: ast.expr | None) -> bool:
        return isinstance(expression, ast.Name) and expression.id == self.parameter

    def _is_type(self, expression: ast.expr) -> bool:
        match expression:
            case ast.Call(func=ast.Name(id="type"), args=[given]):
                return self._is_message(given)
        return False


def meaning(function: FunctionType, expression: ast.expr) -> Any:
    """What a name in a function's code means, also one in a module or a class; None where not known."""
    match expression:
        case ast.Name(id=name) if name not in function.__code__.co_varnames:
            return closed_over(function).get(name, function.__globals__.get(name, vars(builtins).get(name)))
        case ast.Attribute(value=value, attr=name):
            holder = meaning(function, value)
            return vars(holder).get(name) if isinstance(holder, (ModuleType, type)) else None
    return None


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives another meaning."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id


def _is_wildcard(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _all(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _any(verdicts: list[bool | None]) -> bool | None:
    return True if True in verdicts else None if None in verdicts else False
