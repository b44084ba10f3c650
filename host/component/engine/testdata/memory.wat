;; Bulk operations, growth, data and segments.
(module
  (memory (export "memory") 80 100)
  (data $d (i32.const 8) "hello")
  (data $late (i32.const 10) "LLO")
  (data $p "passive")
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init $p (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init_active") (param i32) (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "drop") (data.drop $p) (data.drop $d))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size)))
