;; Modules between a component and its host, as adapters of toolchains are, that
;; are not what they seem: tables filled with functions of another type, or not
;; at all, and a memory that is written behind its owner's back.
(component
  (core module $Shim
    (type $f (func (param i32) (result i32)))
    (table (export "t") 3 funcref)
    (func (export "call") (param i32 i32) (result i32) (call_indirect (type $f) (local.get 1) (local.get 0))))
  (core instance $shim (instantiate $Shim))
  (core module $Main
    (import "shim" "call" (func $call (param i32 i32) (result i32)))
    (memory (export "m") 1)
    (data (i32.const 16) "hello")
    (func (export "run") (param i32) (result i32) (call $call (local.get 0) (i32.const 7)))
    (func (export "text") (result i32) (i32.store (i32.const 4) (i32.const 5)) (i32.store (i32.const 0) (i32.const 16)) (i32.const 0)))
  (core instance $main (instantiate $Main (with "shim" (instance $shim))))
  (core module $Fix
    (import "shim" "t" (table 3 funcref))
    (import "main" "m" (memory 1))
    (import "main" "text" (func $text (result i32)))
    (func $wrong (param i64 i64 i64) (result f64) (f64.const 1))
    (func $shrinks (param i32) (result i32) (table.set 0 (i32.const 2) (ref.null func)) (i32.const 9))
    (elem (table 0) (i32.const 1) func $wrong $shrinks)
    ;; writes where the host is about to read
    (func (export "text") (result i32)
      (drop (call $text))
      (i32.store (i32.const 4) (i32.const 0xffffffff))
      (i32.const 0)))
  (core instance $fix (instantiate $Fix (with "shim" (instance $shim)) (with "main" (instance $main))))
  (func (export "run") (param "entry" u32) (result u32) (canon lift (core func $main "run")))
  (func (export "text") (result string) (canon lift (core func $fix "text") (memory (core memory $main "m")))))
