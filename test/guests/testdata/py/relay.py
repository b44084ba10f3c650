"""Hands every value on: it arrives from a caller, becomes a Python value, and
leaves for the component below; and back."""

import inspect

from wit_world import exports
from wit_world.imports import values as below


class Values(exports.Values):
    pass


def relay(name):
    return lambda self, *args: getattr(below, name)(*args)


for name, _ in inspect.getmembers(exports.Values, inspect.isfunction):
    if not name.startswith("_"):
        setattr(Values, name, relay(name))
Values.__abstractmethods__ = frozenset()
