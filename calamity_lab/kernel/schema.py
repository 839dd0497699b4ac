"""The schema of a message class: its fields, what it is made with, and whether its values are records.

Dataclasses, attrs classes, msgspec structs, named tuples, pydantic models and dataclasses, and plain classes
whose ``__init__`` keeps what it is given. This is the one place that knows how each kind of class is read. A
kind is known by what it leaves on its classes, so that none of the libraries has to be there.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from types import FunctionType, MappingProxyType
from typing import Annotated, Any, Literal

from calamity_lab.errors import InvalidFields, text_of
from calamity_lab.kernel.annotations import annotated_names, class_annotations, method_annotations
from calamity_lab.kernel.arguments import are_equal

Kind = Literal["dataclass", "attrs", "struct", "named tuple", "pydantic", "plain"]


class _Default:
    """Stands for a default that is no value."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


NO_DEFAULT = _Default("no default")
"""The default of a field that must be given."""

COMPUTED = _Default("computed")
"""The default of a field that only the class itself can work out, from other fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message class.

    ``name`` is the attribute of a value, ``argument`` what the constructor calls it (empty where it does not
    take it), ``stored`` what msgspec calls it in JSON. ``annotation`` is resolved, else an `Unresolved`.
    """

    name: str
    annotation: Any = Any
    argument: str = ""
    default: Any = NO_DEFAULT
    factory: Callable[[], Any] | None = None
    doc: str = ""
    stored: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is NO_DEFAULT and self.factory is None

    @property
    def metadata(self) -> tuple[Any, ...]:
        """The metadata of ``Annotated[...]``, after the type."""
        return getattr(self.annotation, "__metadata__", ())

    def made_default(self) -> Any:
        """The default value, made now where a factory makes it; `NO_DEFAULT` where the factory fails."""
        if self.factory is None:
            return self.default
        try:
            return self.factory()
        except Exception:  # noqa: BLE001 - it fails again, and is reported, when an object is made
            return NO_DEFAULT


def kind_of(cls: type) -> Kind | None:
    """Which kind of message class this is; None where it does not declare what its values hold."""
    if field_names(cls) is None:
        return "plain" if _kept_arguments(cls) else None
    if set(field_names(cls) or ()) <= set(_pydantic_fields(cls) or ()):
        return "pydantic"
    if hasattr(cls, "__dataclass_fields__"):
        return "dataclass"
    if hasattr(cls, "__struct_fields__"):
        return "struct"
    return "attrs" if hasattr(cls, "__attrs_attrs__") else "named tuple"


def is_message_class(cls: type) -> bool:
    """Whether a class declares the fields of its values, so that it may be a message or a part of one."""
    return field_names(cls) is not None or bool(_kept_arguments(cls))


def field_names(cls: type) -> tuple[str, ...] | None:
    """The declared fields of a class, in order; None where it declares none, as a plain class."""
    if hasattr(cls, "__dataclass_fields__"):
        return tuple([f.name for f in fields(cls)])  # which leaves out class variables
    if hasattr(cls, "__struct_fields__"):
        return tuple(cls.__struct_fields__)
    if issubclass(cls, tuple):
        names: tuple[str, ...] | None = getattr(cls, "_fields", None)
        return names
    attrs = getattr(cls, "__attrs_attrs__", None)
    if attrs is not None:
        return tuple([a.name for a in attrs])
    pydantic = _pydantic_fields(cls)
    return None if pydantic is None else tuple(pydantic)


def compared_names(cls: type) -> tuple[str, ...] | None:
    """The declared fields that ``==`` compares, in order; None where the class declares none."""
    if hasattr(cls, "__dataclass_fields__"):
        return tuple([f.name for f in fields(cls) if f.compare])
    attrs = getattr(cls, "__attrs_attrs__", None)
    return field_names(cls) if attrs is None else tuple([a.name for a in attrs if a.eq])


def declared_names(cls: type) -> tuple[str, ...]:
    """The fields of a class, also before ``@dataclass`` has made it one: then what it annotates."""
    return tuple(dict.fromkeys((*(field_names(cls) or ()), *_kept_arguments(cls), *annotated_names(cls))))


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a value by name; a mapping is its own fields, a value without fields has none."""
    cls = type(value)
    names = field_names(cls)
    try:
        if names is not None:
            held = {name: getattr(value, name) for name in names if hasattr(value, name)}
            extra = getattr(value, "__pydantic_extra__", None)
            return {**held, **extra} if extra else held
        if issubclass(cls, dict):
            return {str(key): item for key, item in value.items()}
        return dict(getattr(value, "__dict__", {}))
    except Exception as error:  # noqa: BLE001 - what a model's class raises is shown in place of its fields
        return {"fields": RaisingParts(cls, error)}


class RaisingParts:
    """Stands for what cannot be read of a value, because a method of its class raised an error."""

    def __init__(self, cls: type, error: Exception) -> None:
        self._text = f"<{cls.__name__}, whose fields raised {type(error).__name__}>"

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return type(other) is RaisingParts and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def is_record(value: Any) -> bool:
    """Whether a value has named fields of its own, and is not a class, a number, a text or a container."""
    cls = type(value)
    if cls.__module__ == "builtins" or issubclass(cls, type):
        return False
    try:
        return field_names(cls) is not None or hasattr(value, "__dict__")
    except Exception:  # noqa: BLE001 - an object whose attributes raise has no fields that can be read
        return False


def is_plain_enum(enum: type[Enum]) -> bool:
    """Whether all members have texts as values, or all have whole numbers."""
    values = {type(member.value) for member in enum}
    return values in ({str}, {int})


def spelled(member: Enum) -> str | int:
    """A member of an Enum as stores and files write it: the value if the enum is plain, else the name."""
    if is_plain_enum(type(member)):
        value: str | int = member.value
        return value
    return str(member) if member.name is None else member.name


def fields_in(cls: type, known: Mapping[str, Any] | None = None) -> tuple[Field, ...]:
    """The fields of a value of the class, in order; ``known`` are further classes for annotations to name."""
    kind = kind_of(cls)
    annotations = class_annotations(cls, known)
    if kind == "plain":
        return tuple(_with(annotations, f) for f in _plain_fields(cls, known))
    if kind is None:
        return tuple(Field(name, annotation) for name, annotation in annotations.items())
    return tuple(_with(annotations, field) for field in _READERS[kind](cls))


def arguments_of(cls: type, known: Mapping[str, Any] | None = None) -> tuple[Field, ...]:
    """What the constructor of a class takes, in order: each as the field that it fills, where there is one.

    An argument that fills no field (as an ``InitVar``) has no ``name``.
    """
    declared = {field.argument: field for field in fields_in(cls, known) if field.argument}
    if kind_of(cls) == "pydantic":
        return tuple(declared.values())  # whose signature leaves out an alias that is no identifier
    try:
        signature = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return ()
    parameters = [each for each in signature if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if any(parameter.name not in declared for parameter in parameters):
        loose = {**class_annotations(cls, known), **method_annotations(cls, "__init__", known)}
        declared = {**{name: Field("", annotation) for name, annotation in loose.items()}, **declared}
    return tuple(_argument(parameter, declared.get(parameter.name, Field(""))) for parameter in parameters)


def remade(value: Any, changes: Mapping[str, Any]) -> Any:
    """A value of the same class with other values for some fields, made by its constructor.

    Raises `InvalidFields` where the constructor does not take them.
    """
    return _Plan(type(value)).make({**fields_of(value), **changes})


class Renewal:
    """Makes values again in other classes: ``class_of`` gives the class that takes the place of one.

    What a value holds is made again too: values in its fields, members of enums, items of containers. A value
    in which no class is replaced stays the same object. Raises `InvalidFields` where a class does not take
    the fields of a value: the class has no such field any more, or has a new one without a default. A field
    that had its default may be gone.
    """

    def __init__(self, class_of: Callable[[type], type]) -> None:
        self._class_of = class_of
        self._plans: dict[type, _Plan | None] = {}

    def __call__(self, value: Any) -> Any:
        """The value in the classes of now."""
        try:
            return self._renewed(value)
        except RecursionError:
            raise InvalidFields(type(value).__name__, {"": "it holds itself"}) from None

    def _renewed(self, value: Any) -> Any:
        cls = type(value)
        if cls in _ATOMS:
            return value
        if cls in _CONTAINERS:
            return self._container(value, cls)
        if isinstance(value, type):
            return self._class_of(value)
        if isinstance(value, Enum):
            return self._member(value, cls)
        if cls not in self._plans:
            made = self._class_of(cls)
            self._plans[cls] = _Plan(made) if made is not cls or is_message_class(cls) else None
        plan = self._plans[cls]
        if plan is None:
            return value
        held = fields_of(value)
        fields = {name: self._renewed(item) for name, item in held.items()}
        if plan.cls is cls and all([fields[name] is held[name] for name in held]):
            return value
        for gone in [name for name in fields if not plan.has(name) and _is_default(cls, name, held[name])]:
            del fields[gone]  # nobody gave this value
        return plan.make(fields)

    def _container(self, value: Any, cls: Any) -> Any:
        if issubclass(cls, Mapping):
            pairs = [(self._renewed(key), self._renewed(item)) for key, item in value.items()]
            kept = all([a is c and b is d for (a, b), (c, d) in zip(pairs, value.items(), strict=True)])
            return value if kept else _mapping(value, pairs)
        items = [self._renewed(item) for item in value]
        kept = all([new is old for new, old in zip(items, value, strict=True)])
        return value if kept else cls(items)

    def _member(self, member: Enum, cls: type[Enum]) -> Any:
        made: Any = self._class_of(cls)
        if made is cls:
            return member
        try:
            return made(member.value) if member.name is None else made[member.name]
        except (KeyError, ValueError, TypeError):
            raise InvalidFields(made.__name__, {"": f"it has no member {member.name} any more"}) from None


_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, datetime, date, time, timedelta})
_CONTAINERS = frozenset(
    {list, tuple, set, frozenset, deque, dict, OrderedDict, defaultdict, MappingProxyType}
)


def _mapping(like: Any, pairs: list[tuple[Any, Any]]) -> Any:
    """A mapping of the same kind with these items."""
    if isinstance(like, defaultdict):
        return defaultdict(like.default_factory, pairs)
    cls: Any = type(like)
    return cls(dict(pairs))


class _Plan:
    """How a value of a class is made of its fields."""

    __slots__ = ("_arguments", "_listed", "_required", "_takes", "cls")

    def __init__(self, cls: Any) -> None:
        self.cls, arguments = cls, arguments_of(cls) if is_message_class(cls) else ()
        self._arguments = {each.name: each.argument for each in arguments if each.name and each.argument}
        self._required = [each for each in arguments if each.required]
        self._listed = _listed_argument(cls) or ""
        config = getattr(cls, "model_config", None)
        takes_any = isinstance(config, dict) and config.get("extra") == "allow"
        self._takes = None if takes_any else {field.name for field in fields_in(cls)}

    def make(self, fields: Mapping[str, Any]) -> Any:
        """A value with these fields, made by the constructor; of a class without fields, as it held them."""
        if not is_message_class(self.cls):
            blank = self.cls.__new__(self.cls)
            vars(blank).update(fields)
            return blank
        given = {self._arguments.get(name, name): fields[name] for name in fields if self._is_taken(name)}
        missing = [each for each in self._required if each.argument not in given]
        errors = {
            **{name: "the class has no such field any more" for name in fields if not self.has(name)},
            **{each.name or each.argument: "the field is new, and has no default" for each in missing},
        }
        if errors:
            raise InvalidFields(self.cls.__name__, errors)
        try:
            listed = fields.get(self._listed, ())
            if listed:
                first = [given[each] for each in self._arguments.values() if each in given]
                return self.cls(*first, *listed)
            return self.cls(**given)
        except Exception as error:
            raise InvalidFields(self.cls.__name__, {"": text_of(error)}) from error

    def has(self, name: str) -> bool:
        """Whether the class has a field of that name."""
        return self._takes is None or name in self._takes

    def _is_taken(self, name: str) -> bool:
        """Whether the constructor takes a field; it computes the others itself."""
        return name in self._arguments or (self._takes is None and name not in (field_names(self.cls) or ()))


def _is_default(cls: type, name: str, value: Any) -> bool:
    """Whether a field has its default as value."""
    field = next((each for each in fields_in(cls) if each.name == name), None)
    return field is not None and are_equal(field.made_default(), value)


def _listed_argument(cls: Any) -> str | None:
    """The argument of a constructor that takes any number of values, as ``events`` in ``*events``."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return None
    return next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None)


def _with(annotations: Mapping[str, Any], field: Field) -> Field:
    if field.annotation is Any:
        field = replace(field, annotation=annotations.get(field.name, Any))
    doc = field.doc or next(filter(None, map(_described, field.metadata)), "")
    return replace(field, doc=doc, stored=field.stored or field.name)


def _described(note: Any) -> str:
    """What a note in ``Annotated`` says to readers, as msgspec's Meta, pydantic's Field and Doc do."""
    text = getattr(note, "description", None) or getattr(note, "documentation", None)
    return text if isinstance(text, str) else ""


def _argument(parameter: inspect.Parameter, field: Field) -> Field:
    """The field as the constructor takes it: an ``__init__`` of the class's own has its own defaults."""
    if parameter.default is parameter.empty:
        return replace(field, argument=parameter.name, default=NO_DEFAULT, factory=None)
    return replace(field, argument=parameter.name, default=parameter.default) if field.required else field


def _defaults(default: Any) -> tuple[Any, Callable[[], Any] | None]:
    """What attrs and msgspec have for a default: a value, a factory, or a word for none."""
    word = type(default).__name__
    if word in ("NoDefaultType", "_Nothing", "NothingType") or getattr(default, "name", "") == "NOTHING":
        return NO_DEFAULT, None
    if word != "Factory":
        return default, None
    return (COMPUTED, None) if getattr(default, "takes_self", False) else (NO_DEFAULT, default.factory)


def _dataclass_fields(cls: Any) -> Iterator[Field]:
    for f in fields(cls):
        default = NO_DEFAULT if f.default is MISSING else f.default
        factory = None if f.default_factory is MISSING else f.default_factory
        doc = f.metadata.get("doc") or f.metadata.get("description") or getattr(f, "doc", None) or ""
        yield Field(f.name, argument=f.name if f.init else "", default=default, factory=factory, doc=str(doc))


def _attrs_fields(cls: Any) -> Iterator[Field]:
    for a in cls.__attrs_attrs__:
        default, factory = _defaults(a.default)
        doc = a.metadata.get("doc") or a.metadata.get("description") or ""
        argument = (a.alias or a.name) if a.init else ""
        yield Field(a.name, argument=argument, default=default, factory=factory, doc=str(doc))


def _struct_fields(cls: Any) -> Iterator[Field]:
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    given = dict(zip(reversed(names), reversed(defaults), strict=False))
    for name, stored in zip(names, cls.__struct_encode_fields__, strict=True):
        default, factory = _defaults(given[name]) if name in given else (NO_DEFAULT, None)
        yield Field(name, argument=name, default=default, factory=factory, stored=stored)


def _tuple_fields(cls: Any) -> Iterator[Field]:
    for name in cls._fields:
        yield Field(name, argument=name, default=cls._field_defaults.get(name, NO_DEFAULT))


def _pydantic_model_fields(cls: Any) -> Iterator[Field]:
    names = field_names(cls) or ()
    by_name = _takes_names(cls)
    for name, found in (_pydantic_fields(cls) or {}).items():
        if name not in names:
            continue  # an InitVar of a pydantic dataclass
        alias = found.validation_alias if isinstance(found.validation_alias, str) else found.alias
        argument = name if by_name or alias is None else alias
        annotation = Annotated[(found.annotation, *found.metadata)] if found.metadata else found.annotation
        yield Field(
            name,
            annotation if getattr(cls, "__pydantic_complete__", True) else Any,
            "" if getattr(found, "init", None) is False else argument,
            NO_DEFAULT if found.is_required() or found.default_factory is not None else found.default,
            _pydantic_factory(found),
            found.description or "",
        )


def _pydantic_fields(cls: Any) -> Mapping[str, Any] | None:
    found = getattr(cls, "__pydantic_fields__", None)
    if found is None and hasattr(cls, "__pydantic_core_schema__"):  # before pydantic 2.10
        found = getattr(cls, "model_fields", None)
    return found if isinstance(found, Mapping) else None


def _takes_names(cls: Any) -> bool:
    config = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None) or {}
    return bool(config.get("populate_by_name") or config.get("validate_by_name"))


def _pydantic_factory(found: Any) -> Callable[[], Any] | None:
    factory: Callable[..., Any] | None = found.default_factory
    if factory is not None and getattr(found, "default_factory_takes_validated_data", False):
        return lambda: COMPUTED
    return factory


def _plain_fields(cls: type, known: Mapping[str, Any] | None) -> Iterator[Field]:
    annotations = method_annotations(cls, "__init__", known)
    for name, parameter in _kept_arguments(cls).items():
        default = NO_DEFAULT if parameter.default is parameter.empty else parameter.default
        yield Field(name, annotations.get(name, Any), name, default)


def _kept_arguments(cls: Any) -> dict[str, inspect.Parameter]:
    """What the ``__init__`` of a plain class takes, if it annotates and keeps all of it; else nothing."""
    init = cls.__init__
    if not isinstance(init, FunctionType) or issubclass(cls, (Enum, BaseException)):
        return {}
    if cls.__new__ is not object.__new__ or getattr(cls, "_is_protocol", False):
        return {}
    _, *parameters = inspect.signature(init).parameters.values() or (None,)
    kept = _names_kept(cls)
    if all(p.name in kept and p.annotation is not p.empty for p in parameters):
        return {parameter.name: parameter for parameter in parameters}
    return {}


def _names_kept(cls: type) -> frozenset[str]:
    """The attributes that the ``__init__`` of a class sets, also by that of a base that it calls."""
    names: set[str] = set()
    for base in cls.__mro__:
        code = getattr(vars(base).get("__init__"), "__code__", None)
        if code is not None:
            names.update(code.co_names)
            if "__init__" not in code.co_names:
                break
    return frozenset(names)


_READERS: Mapping[str, Callable[[Any], Iterator[Field]]] = {
    "dataclass": _dataclass_fields,
    "attrs": _attrs_fields,
    "struct": _struct_fields,
    "named tuple": _tuple_fields,
    "pydantic": _pydantic_model_fields,
}
