"""Arrays, sets and maps of values that msgspec alone cannot write, or not in an order that stays."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from typing import Any, get_args, get_origin

import msgspec

from calamity_lab.stores.serializer.codec import (
    Codec,
    Codecs,
    Misfit,
    at,
    step_to,
    to_items,
    to_json,
    to_pairs,
    told,
)
from calamity_lab.stores.serializer.native import is_key

Make = Callable[[Iterable[Any]], Any]

# What an array is read as; abstract ones as what cannot be changed, as the fields of a message should be.
_ARRAYS: dict[Any, Make] = {
    list: list, MutableSequence: list, deque: deque,
    tuple: tuple, Sequence: tuple, Collection: tuple, Iterable: tuple,
}  # fmt: skip
_SETS: dict[Any, Make] = {set: set, MutableSet: set, frozenset: frozenset, AbstractSet: frozenset}
_MAPS = (dict, Mapping, MutableMapping)


def container(hint: Any, codecs: Codecs) -> Codec | None:
    """The codec for that container; None where it is none."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if (origin is tuple and args and args[-1] is not Ellipsis) or hint == tuple[()]:
        return _places([codecs.of(part) for part in args])
    item = codecs.of(args[0]) if args else codecs.of(Any)
    if origin in _SETS:
        return _set(_SETS[origin], item)
    if origin in _ARRAYS:
        return _array(_ARRAYS[origin], item)
    if origin in _MAPS and args:
        return _object(args[0], codecs.of(args[1])) if is_key(args[0]) else _pairs(item, codecs.of(args[1]))
    return None


def _array(make: Make, item: Codec) -> Codec:
    return Codec(
        lambda value: _each(item.write, _iterable(value)),
        lambda text: make(_each(item.read, to_items(text))),
    )


def _set(make: Make, item: Codec) -> Codec:
    """In the order of what is written, so that the same set is always written alike."""
    return Codec(
        lambda value: [
            msgspec.Raw(text) for text in sorted(map(to_json, _each(item.write, _iterable(value))))
        ],
        lambda text: make(_each(item.read, to_items(text))),
    )


def _places(items: list[Codec]) -> Codec:
    """A tuple with a type for each place."""

    def through(calls: list[Callable[[Any], Any]], values: Any) -> list[Any]:
        if len(values) != len(items):
            raise Misfit(f"there are {len(values)} items where {len(items)} are annotated")
        return [at(f"[{n}]", call, value) for n, (call, value) in enumerate(zip(calls, values, strict=True))]

    return Codec(
        lambda value: through([item.write for item in items], list(_iterable(value))),
        lambda text: tuple(through([item.read for item in items], to_items(text))),
    )


def _object(key: Any, item: Codec) -> Codec:
    """A dict with keys that JSON can have, once they are texts."""
    read_keys = msgspec.json.Decoder(dict[key, msgspec.Raw]).decode
    return Codec(
        lambda value: {name: at(step_to(name), item.write, found) for name, found in _items(value)},
        lambda text: {name: at(step_to(name), item.read, found) for name, found in read_keys(text).items()},
    )


def _pairs(key: Codec, item: Codec) -> Codec:
    """A dict with keys of other kinds, as a list of keys and values."""
    return Codec(
        lambda value: [
            [key.write(name), at(step_to(name), item.write, found)] for name, found in _items(value)
        ],
        lambda text: {
            key.read(name): at(f"[{bytes(name).decode()}]", item.read, found)
            for name, found in to_pairs(text)
        },
    )


def _each(call: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    return [at(f"[{n}]", call, value) for n, value in enumerate(values)]


def _iterable(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return value
    raise Misfit(f"{told(value)} is no array")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    raise Misfit(f"{told(value)} is no dict")
