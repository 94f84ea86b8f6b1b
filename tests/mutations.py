"""Seeded mutations of files: bytes changed, cut or put in, and values of JSON and YAML replaced."""

import copy
import json
import random
from typing import Any

VALUES = (
    None,
    True,
    -1,
    0,
    2**70,
    -1e308,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "\u2028\u0000\ud7ff",
    "../../escaped",
    "nan",
    [],
    {},
    [[[[]]]],
    {"a": {"b": [None]}},
)
"""What takes the place of a value; all of it is JSON, but for NaN and infinity."""


def bytes_changed(content: bytes, chance: random.Random, *, before: int | None = None) -> bytes:
    """One or two changes at random places, all of them ahead of ``before``."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(max(1, min(len(changed), before or len(changed))))
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([changed[at] ^ 1 << chance.randrange(8)])
            case 1:
                del changed[at:]
            case 2:
                del changed[at : at + chance.randint(1, 40)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 40))
            case 4:
                changed[at:at] = changed[: chance.randint(1, 200)]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def value_changed(value: Any, chance: random.Random) -> Any:
    """A copy of a value of dicts and lists with one place in it replaced, removed or added."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    if not places:
        return chance.choice(VALUES)
    holder, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder["unheard_of"] = chance.choice(VALUES)
        case _:
            holder[key] = chance.choice(VALUES)
    return changed


def _places(value: Any) -> Any:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def tensors_changed(content: bytes, chance: random.Random) -> bytes:
    """A safetensors file with another length, another header, or bytes of its header changed."""
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if chance.randrange(2):
        return bytes_changed(content, chance, before=8 + length)
    text = json.dumps(value_changed(header, chance)).encode()
    return (
        len(text).to_bytes(8, "little") + text + data[: chance.choice([len(data), len(data) // 2])]
    )
