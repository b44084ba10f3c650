// Exports a resource, and keeps its state in one that it imports.
import {Cell, make as makeCells, total as totalOf, consume} from 'example:types/resources';

class Counter {
  constructor(start) {
    this.cell = start instanceof Cell ? start : new Cell(start);
  }
  next() {
    return this.cell.add(1n);
  }
  absorb(other) {
    this.cell.absorb(other.cell);
  }
  static merge(a, b) {
    return new Counter(Cell.merge(a.cell, b.cell));
  }
}

export const counters = {
  Counter,
  make: n => makeCells(n).map(cell => new Counter(cell)),
  total: list => totalOf(list.map(counter => counter.cell)),
  finish: counter => consume(counter.cell),
};
