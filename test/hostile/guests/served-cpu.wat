;; Exports an interface, as components of a lattice do, of functions that take
;; what they can.
(component
  (core module $M
    (memory (export "m") 1)
    (func (export "spin") (loop $l (br $l)))
    (func $recurse (export "recurse") (call $recurse) (nop))
    (func (export "grow") (loop $l (drop (memory.grow (i32.const 1))) (br $l)))
    (func (export "lie") (param i32) (result i32) (i32.store (i32.const 0) (i32.const 65535)) (i32.store (i32.const 4) (i32.const -1)) (i32.const 0)))
  (core instance $m (instantiate $M))
  (func $spin (canon lift (core func $m "spin")))
  (func $recurse (canon lift (core func $m "recurse")))
  (func $grow (canon lift (core func $m "grow")))
  (func $lie (param "x" u32) (result string) (canon lift (core func $m "lie") (memory (core memory $m "m"))))
  (instance $served (export "spin" (func $spin)) (export "recurse" (func $recurse)) (export "grow" (func $grow)) (export "lie" (func $lie)))
  (export "hostile:test/served" (instance $served)))
