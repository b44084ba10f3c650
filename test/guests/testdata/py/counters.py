"""The resource that resources.py exports. componentize-py looks for it in a
module that is named as the interface."""

from wit_world.exports import counters
from wit_world.imports import resources as below


class Counter(counters.Counter):
    def __init__(self, start):
        self.cell = start if isinstance(start, below.Cell) else below.Cell(start)

    def next(self):
        return self.cell.add(1)

    def absorb(self, other):
        self.cell.absorb(other.cell)

    @classmethod
    def merge(cls, a, b):
        return cls(below.Cell.merge(a.cell, b.cell))
