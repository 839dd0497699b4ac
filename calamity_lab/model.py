"""A model: the aggregates, commands, events and process managers of a system, found by their methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import singledispatchmethod
from inspect import isabstract
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, NamedTuple, TypeGuard, TypeVar, cast, get_args, get_origin

from calamity_lab.errors import InvalidModel, InvalidValue, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.annotations import closed_over, method_annotations, union_members
from calamity_lab.kernel.arguments import a_mapping, classes, is_a
from calamity_lab.kernel.identity import by_name, stored_name
from calamity_lab.kernel.memo import Memo
from calamity_lab.kernel.schema import field_names, fields_in, is_message_class

T = TypeVar("T", bound=type)

_SHAPES = {
    "aggregates": ("execute", "apply"),
    "commands": ("aggregate",),
    "process_managers": ("interested", "handle"),
    "projections": ("new", "apply"),
}
_SIGNATURES = {
    "new": "a classmethod new(id)",
    "execute": "an execute(command) method",
    "apply": "an apply(event) method",
    "interested": "a classmethod interested(event)",
    "handle": "a handle(event) method",
    "aggregate": "an aggregate() method",
}
_CALLBACKS = ("execute", "apply", "interested", "handle", "handle_rejection", "key")
_DECIDES = ("execute", "interested", "handle", "aggregate")  # what no projection has
_NOUNS = {
    "aggregates": "an aggregate",
    "commands": "a command",
    "process_managers": "a process manager",
    "projections": "a projection",
}
# Where classes come from that a notebook imports and does not define: protocols and bases.
_NOT_THE_USERS = ("calamity_lab.kernel.", "builtins.", "typing.", "msgspec.", "pydantic.")


class _Source(NamedTuple):
    """Where a model was found: in a module or a namespace, or else among classes that were listed."""

    namespace: ModuleType | Mapping[str, Any] | None = None
    listed: tuple[type, ...] = ()
    projections: tuple[type, ...] = ()


_NOWHERE = _Source()


@dataclass(frozen=True, slots=True)
class Model:
    """Classes by what they are in the model. ``unplaced`` are classes with fields that no class refers to.

    ``given`` are all classes among which the model was found, and ``source`` says where. ``memo`` keeps what
    was worked out about the classes. ``asked`` is whether their callbacks may be asked about what has not
    happened.
    """

    aggregates: tuple[type, ...] = ()
    commands: tuple[type, ...] = ()
    events: tuple[type, ...] = ()
    process_managers: tuple[type, ...] = ()
    projections: tuple[type, ...] = ()
    unplaced: tuple[type, ...] = ()
    given: tuple[type, ...] = field(default=(), compare=False, repr=False)
    source: _Source = field(default=_NOWHERE, compare=False, repr=False)
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)
    asked: bool = field(default=True, compare=False, repr=False)

    @classmethod
    def find(cls, namespace: Mapping[str, Any] | ModuleType) -> Model:
        """The model in a module or a notebook's namespace."""
        return cls._found(namespace)

    @classmethod
    def _found(cls, namespace: Mapping[str, Any] | ModuleType, projections: Iterable[type] = ()) -> Model:
        model = cls.of(_classes(namespace), projections)
        return replace(model, source=model.source._replace(namespace=namespace, listed=()))

    def now(self) -> Model:
        """The model as it is now, where this one was found; of listed classes each as its module has it."""
        namespace, listed, projections = self.source
        if namespace is None:
            return Model.of(map(class_of_now, listed), map(class_of_now, projections))
        if isinstance(namespace, ModuleType):
            namespace = sys.modules.get(namespace.__name__, namespace)
        return Model._found(namespace, map(class_of_now, projections))

    @classmethod
    def of(cls, classes: Iterable[type], projections: Iterable[type] = ()) -> Model:
        """The model that these classes make up, each known by its methods.

        A process manager has ``interested``, ``apply`` and ``handle``; an aggregate has ``execute`` and
        ``apply``; a command has ``aggregate()``. A projection has ``apply``, and a classmethod ``key`` or a
        classmethod ``new`` that needs no argument; and no other class uses it. ``projections`` are such in
        any case. An event is a class with fields that the callbacks of these name, and that is not the type
        of another message's field. Messages that the callbacks name need not be given.
        """
        read_models = tuple(cls for cls in dict.fromkeys(projections) if _has(cls, "apply"))
        source = _Source(None, tuple(classes), read_models)
        given = tuple(dict.fromkeys([*source.listed, *read_models]))
        found = tuple(dict.fromkeys([*given, *(m for c in given for m in _mentioned(c))]))
        managers = tuple(c for c in found if _has(c, "interested", "handle"))
        aggregates = tuple(c for c in found if _has(c, "execute", "apply") and c not in managers)
        commands = tuple(c for c in found if _has(c, "aggregate") and c not in managers + aggregates)
        placed = (*managers, *aggregates, *commands)
        managers, aggregates, commands = map(_without_bases, (managers, aggregates, commands))
        others = [c for c in found if c not in placed and c not in read_models]
        read_models = (*read_models, *_projections(others, (*placed, *found)))
        placed = (*placed, *read_models)
        records = [c for c in found if c not in placed and is_message_class(c) and not _is_other(c)]
        askers = (*managers, *aggregates)
        facts = {name for c in askers for name in _event_names(c, _names_in)}
        named = {name for c in (*askers, *read_models) for name in _names_in(c, *_CALLBACKS)}
        # Callbacks may call other functions, which name the messages.
        reached = {name for c in askers for name in _event_names(c, names_reached)}
        known = {c.__name__: c for c in found}
        parts = {part for c in (*placed, *records) for part in _field_types(c, known)}
        payloads = {part for c in askers for part in _type_arguments(c, known, records)}
        # A plain class that only one callback names may be anything, as a calculator that it uses.
        named = {c.__name__ for c in records if c.__name__ in named and field_names(c) is not None} | reached
        events = tuple(
            c
            for c in records
            if c.__name__ in facts or (c.__name__ in named and c not in parts)
            if c not in payloads
        )
        unplaced = tuple(
            c
            for c in records
            if c not in events and c not in parts | payloads and field_names(c) is not None
            if not any(issubclass(other, c) for other in (*events, *placed))  # a base class
        )
        _check_names(dict.fromkeys((*aggregates, *commands, *events, *managers, *read_models)))
        return cls(aggregates, commands, events, managers, read_models, unplaced, given, source)

    @property
    def by_kind(self) -> Mapping[str, tuple[type, ...]]:
        """The classes by what they are in the model, in words."""
        return {
            "command": self.commands,
            "event": self.events,
            "aggregate": self.aggregates,
            "process manager": self.process_managers,
            "projection": self.projections,
        }

    def aggregate(self, name: str) -> type:
        """The aggregate type of that name."""
        return _named("aggregate", name, self.aggregates)

    def command(self, name: str) -> type:
        """The command type of that name."""
        return _named("command", name, self.commands)

    def process_manager(self, name: str) -> type:
        """The process manager type of that name."""
        return _named("process manager", name, self.process_managers)

    def outdated(self, *used: type) -> tuple[type, ...]:
        """The classes that a cell has defined again, and those used that are not the model's own."""
        mine = {cls.__name__: cls for cls in self}
        strangers = [cls for cls in used if mine.get(cls.__name__, cls) is not cls]
        return tuple(dict.fromkeys([*strangers, *(cls for cls in self if defined_again(cls))]))

    def why_outdated(self, cls: type, branch: str | None = None) -> str:
        """What to do about a class that `outdated` names; ``branch`` has the classes as they are now."""
        name = cls.__name__
        mine = next((known for known in self if known.__name__ == name), cls)
        if mine is not cls and defined_again(cls) and not defined_again(mine):
            return (
                f"this {name} was made before its class was defined again; make it again, as {name}(...), "
                "since the lab has the class as it is now"
            )
        again = f"{name} was defined again, and this branch keeps the earlier class"
        users = _modules_with(mine, self)
        if users:
            again = f"{again}, as {', '.join(users)} does; reload {_it(users)} too (importlib.reload)"
        if branch is not None:
            return f"{again}. The branch {branch!r} has the class as it is now: lab.switch({branch!r})"
        return (
            f"{again}. Run %lab again, or call lab.reload(): it replays the sent commands on the classes as "
            "they are now. You can still look at the recorded run"
        )

    def check_now(self) -> None:
        """Raise for a class that was defined again, where this model still has the earlier one."""
        for cls in self.outdated():
            name, users = cls.__name__, _modules_with(cls, self)
            namespace = self.source.namespace
            if users:
                todo = f"reload {' and '.join(users)} (importlib.reload), which still has it"
            elif namespace is not None and cls.__module__ != _name_of(namespace):
                todo = f"import it again, as in `from {cls.__module__} import {name}`"
            else:
                todo = f"run the cells again that use {name}"
            raise InvalidModel(
                f"{name} was defined again, and the model still has the earlier class: {todo}. Then run "
                "%lab, or call lab.reload()"
            )

    def __iter__(self) -> Iterator[type]:
        return iter(
            (*self.aggregates, *self.commands, *self.events, *self.process_managers, *self.projections)
        )

    def __str__(self) -> str:
        parts = "\n".join(
            f"{title}: {', '.join(c.__name__ for c in group) or 'none'}"
            for title, group in (
                ("aggregates", self.aggregates),
                ("commands", self.commands),
                ("events", self.events),
                ("process managers", self.process_managers),
                *([("projections", self.projections)] if self.projections else []),
            )
        )
        if not self.unplaced:
            return parts
        unused = ", ".join(cls.__name__ for cls in self.unplaced)
        return f"{parts}\nunused: {unused} (no class of the model refers to {_it(self.unplaced)})"


def assemble(
    given: ModuleType | Mapping[str, Any] | Model | None, parts: Mapping[str, Iterable[type]]
) -> Model:
    """The model that ``Lab(...)`` was given: a module, a namespace, a model, or lists of classes.

    Projections may be added to any of these.
    """
    listed = {part: classes(part, group, f"{part}=[...]") for part, group in parts.items()}
    read_models = [
        cls for cls in listed.get("projections", ()) if not any(_has(cls, name) for name in _DECIDES)
    ]
    others = [part for part in parts if part != "projections"]
    if given is not None and others:
        raise InvalidModel(
            f"Lab() takes a module or lists of classes, not both; found a module and {', '.join(others)}. "
            "Leave out one of them"
        )
    if is_a(given, Model):
        model = cast("Model", given)
        model = Model.of([*model, *model.unplaced], read_models) if read_models else model
    elif is_a(given, ModuleType, Mapping):
        model = Model._found(cast("ModuleType", given), read_models)
    elif given is None:
        model = Model.of([cls for part in others for cls in listed[part]], read_models)
    else:
        raise InvalidModel(
            f"Lab() cannot find a model in {repr_of(given)}. Give it a module, as in Lab(bank), "
            "or classes, as in Lab(aggregates=[BankAccount])"
        )
    _check_parts(model, listed)
    return model


def check_aggregates(model: Model, advice: Iterable[str] = ()) -> None:
    """Raise for a model without an aggregate; ``advice`` says what may be meant as one."""
    if not model.aggregates:
        found = [f"It has only {', '.join(c.__name__ for c in model)}"] if tuple(model) else []
        needed = "The model has no aggregate: a class with new(id), execute(command) and apply(event)"
        raise InvalidModel(". ".join([needed, *found, *advice]))


def _check_parts(model: Model, parts: Mapping[str, Iterable[type]]) -> None:
    """Raise for a class that does not have the methods of what it was given as."""
    for part, members in _SHAPES.items():
        for cls in parts.get(part, ()):
            lacks = [_signature(name, _NOUNS[part]) for name in members if not _has(cls, name)]
            if lacks or cls not in getattr(model, part):
                why = f"needs {' and '.join(lacks)}" if lacks else _why_other(cls)
                raise InvalidModel(f"{cls.__name__} {why} to be {_NOUNS[part]}, and is in {part}=[...]")


def _why_other(cls: type) -> str:
    """Why a class that has all methods of a part is another part all the same."""
    return f"must not have {' and '.join(name for name in _DECIDES if _has(cls, name))}"


def _signature(member: str, part: str) -> str:
    """What a class needs, in words."""
    return "a classmethod new()" if member == "new" and part == "a projection" else _SIGNATURES[member]


def _projections(candidates: Iterable[type], others: Iterable[type]) -> tuple[type, ...]:
    """The classes that are projections by their shape, and that no other class is made of or uses."""
    shaped = [cls for cls in candidates if _is_projection(cls)]
    if not shaped:
        return ()
    others = tuple(dict.fromkeys(others))
    known = {cls.__name__: cls for cls in others}
    used = {part for cls in others for part in _field_types(cls, known)}
    users = [cls for cls in others if _has(cls, "apply") and cls not in shaped]
    used |= {known[name] for cls in users for name in names_reached(cls, "new", *_CALLBACKS) if name in known}
    return tuple(
        cls
        for cls in shaped
        if cls not in used and not any(other is not cls and issubclass(other, cls) for other in others)
    )


def _is_projection(cls: type) -> bool:
    """Whether a class has the shape of a projection: ``apply``, and a ``key``, or ``new`` without an id."""
    if not _has(cls, "apply") or any(_has(cls, name) for name in _DECIDES) or isabstract(cls):
        return False
    if getattr(cls, "_is_protocol", False):
        return False
    if isinstance(_member(cls, "key"), classmethod):
        return True
    return isinstance(_member(cls, "new"), classmethod) and not ask.needs_argument(cls.new)  # type: ignore[attr-defined]


def _home(cls: type) -> str:
    """The module and the fields of a class, to distinguish two classes of one name."""
    return f"{cls.__module__}.{cls.__qualname__} with {', '.join(field_names(cls) or ()) or 'no fields'}"


def _modules_with(cls: type, model: Iterable[type]) -> list[str]:
    """The other modules of a model that still have a class under its name which was defined again."""
    names = dict.fromkeys(each.__module__ for each in model if each.__module__ != cls.__module__)
    return [name for name in names if getattr(sys.modules.get(name), cls.__name__, None) is cls]


def defined_again(cls: type) -> bool:
    """Whether the module of the class now has another class of its own under the same name."""
    return class_of_now(cls) is not cls


def class_of_now(cls: type) -> type:
    """The class that the module of a class now has under its name: another one where it was defined again."""
    now = getattr(sys.modules.get(cls.__module__), cls.__qualname__, cls)
    return now if isinstance(now, type) and now.__module__ == cls.__module__ else cls


def earlier_target(command: type, target: type) -> str:
    """What to do about a command that goes to an earlier definition of an aggregate."""
    return (
        f"{command.__name__} goes to an earlier {target.__name__}, which was defined again since: run the "
        f"cell of {command.__name__} again, or write to={target.__name__!r}, which is always the class of "
        "that name"
    )


class Succession:
    """Which class of a model takes the place of a class of an earlier one."""

    def __init__(self, earlier: Model, model: Model) -> None:
        now = list(dict.fromkeys([*model, *model.unplaced, *model.given]))
        self._now = frozenset(now)
        self._earlier = frozenset([*earlier, *earlier.unplaced, *earlier.given])
        self._by_origin = {_origin(cls): cls for cls in reversed(now)}
        self._by_name = {stored_name(cls): cls for cls in reversed(now)}

    @property
    def changes_nothing(self) -> bool:
        """Whether the two models have the same classes."""
        return self._now == self._earlier

    def of(self, cls: type) -> type | None:
        """The class that takes the place of a class, by module and name or by its stored name.

        A class that is in no model is still itself. None for one that is gone.
        """
        if cls in self._now:
            return cls
        found = self._by_origin.get(_origin(cls))
        if found is None and cls in self._earlier:
            found = self._by_name.get(stored_name(cls))
        if found is None and (now := class_of_now(cls)) is not cls:
            return now
        return None if found is None and cls in self._earlier else found or cls


def _classes(namespace: Mapping[str, Any] | ModuleType) -> list[type]:
    """The classes that a user defined there: no private names, and none of our protocols."""
    named = vars(namespace) if isinstance(namespace, ModuleType) else namespace
    items = a_mapping("the namespace", named, "Lab(globals())")
    return [
        value
        for name, value in items.items()
        if is_a(name, str)
        and not name.startswith("_")
        and _is_the_users(value)
        and not _is_alias(name, value, items)
    ]


def _is_alias(name: str, value: type, items: Mapping[str, Any]) -> bool:
    """Whether another class has the class's own name there: then this is an earlier one, kept aside."""
    own = items.get(value.__name__, value)
    return name != value.__name__ and own is not value and isinstance(own, type)


def _is_the_users(value: Any) -> TypeGuard[type]:
    return is_a(value, type) and not f"{value.__module__}.".startswith(_NOT_THE_USERS)


def _has(cls: type, *names: str) -> bool:
    return all(callable(getattr(cls, name, None)) for name in names)


def _is_other(cls: type) -> bool:
    return issubclass(cls, (Enum, BaseException))


def _mentioned(cls: type) -> Iterator[type]:
    """The message classes that the callbacks of an aggregate or process manager mention."""
    if _has(cls, "apply"):
        found = _classes_mentioned(cls, *_CALLBACKS)
        # A dataclass with slots is made twice, and a callback that is wrapped may mention the first one.
        others = [value for value in found if _origin(value) != _origin(cls)]
        yield from (value for value in others if _is_the_users(value) and is_message_class(value))


def _origin(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _event_names(cls: type, names: Callable[..., set[str]]) -> set[str]:
    """The names in `execute` and in `apply` of an aggregate, or in `interested` of a process manager."""
    return (
        names(cls, "interested") if _has(cls, "interested") else names(cls, "execute") & names(cls, "apply")
    )


def _without_bases(classes: tuple[T, ...]) -> tuple[T, ...]:
    """The classes without those that only give others their methods: generic ones, or without fields."""
    return tuple(
        cls
        for cls in classes
        if (is_message_class(cls) and not getattr(cls, "__parameters__", ()))
        or not any(other is not cls and issubclass(other, cls) for other in classes)
    )


def _field_types(cls: type, known: Mapping[str, type]) -> Iterator[type]:
    """The classes in the annotations of a class's fields, however deep: value objects, no messages."""
    for each in fields_in(cls, known):
        yield from classes_within(each.annotation)


def _type_arguments(cls: type, known: Mapping[str, type], records: list[type]) -> Iterator[type]:
    """The classes that stand within generic records in the callbacks' annotations: ``Event[Trick]``."""
    for method in _CALLBACKS:
        for annotation in method_annotations(cls, method, known).values():
            for member in union_members(annotation):
                if get_origin(member) in records:
                    yield from (part for each in get_args(member) for part in classes_within(each))


def classes_within(annotation: Any) -> Iterator[type]:
    """The classes in an annotation, however deep."""
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from classes_within(part)


def _name_of(namespace: ModuleType | Mapping[str, Any]) -> str:
    named = vars(namespace) if isinstance(namespace, ModuleType) else namespace
    return str(named.get("__name__", ""))


def _it(several: Sized) -> str:
    return "it" if len(several) == 1 else "them"


def _check_names(classes: Iterable[type]) -> None:
    """Raise where two classes have one stored name."""
    known: dict[str, type] = {}
    for cls in classes:
        other = known.setdefault(stored_name(cls), cls)
        if (
            other is not cls
            and _origin(other) == _origin(cls)
            and (defined_again(other) or defined_again(cls))
        ):
            raise InvalidModel(
                f"{cls.__name__} was defined again, and a class of the model still uses the earlier one: "
                "run the cells again that import or use it, or reload the modules that do (importlib.reload)"
            )
        if other is not cls:
            raise InvalidModel(
                f"two classes have the stored name {stored_name(cls)!r}: {_home(other)}, and {_home(cls)}. A "
                "message or a stream goes by this name: rename one class, give it another stored_name, or "
                "leave it out"
            )


def _named(part: str, name: str, classes: tuple[type, ...]) -> type:
    known = by_name(classes)
    if name in known:
        return known[name]
    listed = ", ".join(known) or "none"
    raise InvalidValue(f"The model has no {part} {repr_of(name)}. It has {listed}")


# What the callbacks of a class mention in their code: messages, and functions that they call.


def _names_in(cls: type, *methods: str) -> set[str]:
    """The names in the code of these methods, and of the types that they dispatch on."""
    return {name for method in methods for name in _names_of_member(_member(cls, method))}


def names_reached(cls: type, *methods: str) -> set[str]:
    """The names in the code of these methods, and of the methods and functions that they call."""
    return {name for member in _reached(cls, methods) for name in _names_of_member(member)}


def functions_reached(cls: type, *methods: str) -> Iterator[tuple[FunctionType, dict[str, Any]]]:
    """The functions behind these methods and all that they call; each with what its names mean."""
    for member in _reached(cls, methods):
        for function in _functions(member):
            closed, scope = closed_over(function), function.__globals__
            names = sorted(set(_code_names(function.__code__)))
            meant = {name: closed.get(name, scope.get(name, _member(cls, name))) for name in names}
            yield function, meant


def _member(cls: type, name: str) -> Any:
    """What a class or one of its bases has under a name, as it stands there; None where there is nothing."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _classes_mentioned(cls: type, *methods: str) -> Iterator[type]:
    """The classes that these methods and what they call mention, also in a module or class that they name."""
    for member in _reached(cls, methods):
        yield from _dispatched_on(member)
        for function in _functions(member):
            names = sorted(_code_names(function.__code__))
            scope = {**function.__globals__, **closed_over(function)}
            holders = [vars(cls), scope, *(_contents(scope.get(name)) for name in names)]
            found = (holder.get(name) for holder in holders for name in names)
            yield from (value for value in found if isinstance(value, type))


def _reached(cls: type, methods: tuple[str, ...]) -> list[Any]:
    """The methods, and the methods and functions of the same package that they call, nearest first."""
    reached: list[Any] = []
    waiting = [_member(cls, method) for method in methods]
    while waiting:
        member = waiting.pop(0)
        is_code = any(True for _ in _functions(member)) or bool(_registry(member))
        if not is_code or any(member is known for known in reached):
            continue
        reached.append(member)
        waiting.extend(_called(cls, member))
    return reached


def _called(cls: type, member: Any) -> Iterator[Any]:
    package = cls.__module__.partition(".")[0]
    for function in _functions(member):
        scope = {**function.__globals__, **closed_over(function)}
        for name in sorted(_code_names(function.__code__)):
            yield _member(cls, name)
            called = scope.get(name)
            if isinstance(called, FunctionType) and called.__module__.partition(".")[0] == package:
                yield called
            if _registry(called) and not isinstance(called, FunctionType):  # a dispatch table
                yield called
            if name == "super":
                names = _code_names(function.__code__)
                above = [vars(base) for base in cls.__mro__[1:]]
                yield from (held[other] for other in {*names} for held in above if other in held)
            if name == "getattr":  # a method per message, found by its name
                yield from (other for own, other in vars(cls).items() if own not in _CALLBACKS)


def _functions(member: Any) -> Iterator[FunctionType]:
    for registered in _registry(member).values():
        if registered is not member:
            yield from _functions(registered)
    function = getattr(member, "__func__", member)
    if isinstance(function, FunctionType):
        yield function


def _dispatched_on(member: Any) -> Iterator[type]:
    """The classes that a method says it is for: by what is registered, or because it is a policy's."""
    yield from _registry(member)
    events = getattr(getattr(member, "__func__", member), "events_of_policy", None)
    yield from () if events is None else events()


def _registry(member: Any) -> Mapping[type, Any]:
    """What there is for each class: of a method or function with single dispatch, or of a dispatch table."""
    if isinstance(member, singledispatchmethod):
        return member.dispatcher.registry
    if type(member) in (dict, MappingProxyType):
        return {key: member[key] for key in member if isinstance(key, type)}
    registry = getattr(member, "registry", None) if isinstance(member, FunctionType) else None
    return registry if isinstance(registry, Mapping) else {}


def _names_of_member(member: Any) -> Iterator[str]:
    yield from (dispatched.__name__ for dispatched in _dispatched_on(member))
    for function in _functions(member):
        yield from _code_names(function.__code__)


def _code_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _contents(value: Any) -> dict[str, Any]:
    return dict(vars(value)) if isinstance(value, (ModuleType, type)) else {}
