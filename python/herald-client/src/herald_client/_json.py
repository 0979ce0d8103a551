"""JSON as the wire has it."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def encode(value: Any) -> str:
    """Returns the JSON of a value, without spaces.

    Raises `TypeError` or `ValueError` if it has no JSON form.
    """
    text = _ENCODER.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8, but an escape.
        return _ASCII_ENCODER.encode(value)
    return text


def decode(text: str | bytes) -> Any:
    """Returns the value of a JSON text.

    Raises `ValueError` if it is no JSON.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse)
