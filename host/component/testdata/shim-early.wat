;; A start function calls a shim before its table is filled, which traps.
(component
  (component $Inc
    (core module $M (func (export "inc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
    (core instance $m (instantiate $M))
    (func (export "inc") (param "v" u32) (result u32) (canon lift (core func $m "inc"))))
  (instance $inc (instantiate $Inc))
  (core func $lower (canon lower (func $inc "inc")))
  (core module $Shim
    (type $t (func (param i32) (result i32)))
    (table (export "$imports") 1 1 funcref)
    (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))
  (core module $Main
    (import "h" "a" (func $a (param i32) (result i32)))
    (func $start (drop (call $a (i32.const 1))))
    (func (export "run") (param i32) (result i32) (call $a (local.get 0)))
    (start $start))
  (core module $Fill
    (import "" "$imports" (table 1 1 funcref))
    (import "" "0" (func $a (param i32) (result i32)))
    (elem (i32.const 0) func $a))
  (core instance $shim (instantiate $Shim))
  (core instance $main (instantiate $Main (with "h" (instance (export "a" (func $shim "0"))))))
  (core instance (instantiate $Fill (with "" (instance
    (export "$imports" (table $shim "$imports")) (export "0" (func $lower))))))
  (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
