;; Defines what importer.wat shares.
(module
  (memory (export "memory") 1 3)
  (table (export "table") 2 2 funcref)
  (global $g (export "g") (mut i32) (i32.const 1))
  (type $f (func (result i32)))
  (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "g_get") (result i32) (global.get $g)))
