;; Imports everything from a module with an empty name, as the fixup modules of
;; wit-component do, and fills the owner's table.
(module
  (import "" "0" (func $host (param i32) (result i32)))
  (import "" "memory" (memory 1 3))
  (import "" "$imports" (table 2 funcref))
  (import "" "g" (global $g (mut i32)))
  (func $seven (result i32) (i32.const 7))
  (func $answer (result i32) (call $host (i32.load (i32.const 16))))
  (elem (i32.const 0) $seven $answer)
  (func (export "run") (param i32) (result i32)
    (global.set $g (local.get 0))
    (i32.store (i32.const 16) (local.get 0))
    (call $answer))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
