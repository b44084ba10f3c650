;; A component that returns its settings: read(key) is what wasi:config/store.get
;; answers. Its error is a trap.
(component
  (import "wasi:config/store@0.2.0-draft" (instance $store
    (type $e' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $e (eq $e')))
    (export "get" (func (param "key" string) (result (result (option string) (error $e)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $get (canon lower (func $store "get") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (func (export "read") (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then unreachable))
      (i32.const 20))) ;; where the option is
  (core instance $main (instantiate $main (with "libc" (instance $libc)) (with "host" (instance (export "get" (func $get))))))
  (func $read (param "key" string) (result (option string))
    (canon lift (core func $main "read") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (instance $reader (export "read" (func $read)))
  (export "test:settings/reader" (instance $reader)))
