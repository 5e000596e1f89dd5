"""Typed fields: strings of a command line or values of TOML -> values of an annotated type, and back to TOML."""

import json
import math
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_LARGEST_WHOLE = 2**63
BOOLEANS = {"true": True, "false": False}


def kinds_of(record: type) -> dict[str, Any]:
    """Field -> annotation of a dataclass, with names resolved."""
    return get_type_hints(record)


def convert(value: object, kind: Any) -> Any:
    """``value`` as ``kind``: bool, int, float, str, a Literal of strings, X | None, or tuple[X, ...].

    Strings are parsed according to ``kind`` ("1e-4", "true", "1,2", "none"); nothing is rounded or guessed. The message
    of a ValueError describes the kind.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value is None or value == "none":
            return None
        (inner,) = (one for one in get_args(kind) if one is not NoneType)
        return convert(value, inner)
    if origin is tuple:
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(parts, list | tuple):
            return tuple(convert(part, get_args(kind)[0]) for part in parts)
    elif origin is Literal:
        if value in get_args(kind):
            return value
    elif kind is bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in BOOLEANS:
            return BOOLEANS[value]
    elif kind in (int, float):
        if isinstance(value, kind | int | str) and not isinstance(value, bool):
            return _number(value, kind)
    elif kind is str:
        if isinstance(value, str):
            return value
    else:
        raise TypeError(f"no field can be of the kind {kind}")
    raise ValueError(describe(kind))


def _number(value: Any, kind: type) -> Any:
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        raise ValueError(describe(kind)) from None
    if abs(number) >= _LARGEST_WHOLE if kind is int else not math.isfinite(number):
        raise ValueError(describe(kind))
    return number


def describe(kind: Any) -> str:
    """Describe the values of this kind for an error message."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join("none" if one is NoneType else describe(one) for one in get_args(kind))
    if origin is tuple:
        return f"a list, each {describe(get_args(kind)[0])}"
    if origin is Literal:
        return "one of " + ", ".join(str(one) for one in get_args(kind))
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]


def to_toml(table: dict[str, Any]) -> str:
    """Lines ``key = value``; keys whose value is None are omitted, because TOML has no null."""
    return "".join(f"{key} = {_literal(value)}\n" for key, value in table.items() if value is not None)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # A JSON string is a TOML string, except that TOML requires DEL to be escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "[" + ", ".join(_literal(one) for one in value) + "]"
