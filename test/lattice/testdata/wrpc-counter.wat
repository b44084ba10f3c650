;; A component that counts by wrpc:keyvalue itself, as providers speak it: increment
;; adds one to the count of a key in the bucket of the same name.
(component
  (import "wrpc:keyvalue/store@0.2.0-draft" (instance $store
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type (eq $e)))))
  (alias export $store "error" (type $error))
  (import "wrpc:keyvalue/atomics@0.2.0-draft" (instance $atomics
    (alias outer 1 $error (type $e))
    (export "error" (type $err (eq $e)))
    (export "increment" (func (param "bucket" string) (param "key" string) (param "delta" u64) (result (result u64 (error $err)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $p i32)
      (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $p) (local.get 3)))
      (local.get $p)))
  (core instance $libc (instantiate $libc))
  (core func $increment (canon lower (func $atomics "increment") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "below" "increment" (func $below (param i32 i32 i32 i32 i64 i32)))
    (func (export "increment") (param $ptr i32) (param $len i32) (result i64)
      (call $below (local.get $ptr) (local.get $len) (local.get $ptr) (local.get $len) (i64.const 1) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then unreachable))
      (i64.load (i32.const 72))))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "below" (instance (export "increment" (func $increment))))))
  (func $lifted (param "key" string) (result u64)
    (canon lift (core func $main "increment") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $out (export "increment" (func $lifted)))
  (export "test:wrpc/counter" (instance $out)))
