;; ref.func in a loop, which leaks in wazero.
(module
  (type $f (func (result i32)))
  (table $t 3 3 funcref)
  (global $g (mut funcref) (ref.func $two))
  (elem declare func $one $two $three)
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func $three (result i32) (i32.const 3))
  (func (export "leak") (param i32)
    (loop $l
      (global.set $g (ref.func $one))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "fill")
    (table.set $t (i32.const 0) (ref.func $three))
    (table.set $t (i32.const 1) (ref.func $one))
    (table.set $t (i32.const 2) (global.get $g)))
  (func (export "call") (param i32) (result i32) (call_indirect $t (type $f) (local.get 0))))
