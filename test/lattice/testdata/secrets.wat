;; A component that tells its secrets: read(name) is what wasmcloud:secrets reveals
;; of a name, or why there is nothing.
(component
  (import "wasmcloud:secrets/store@0.1.0-draft" (instance $store
    (type $e' (variant (case "upstream" string) (case "io" string) (case "not-found")))
    (export "secrets-error" (type $e (eq $e')))
    (type $v' (variant (case "string" string) (case "bytes" (list u8))))
    (export "secret-value" (type $v (eq $v')))
    (export "secret" (type $s (sub resource)))
    (export "get" (func (param "key" string) (result (result (own $s) (error $e)))))))
  (alias export $store "secret" (type $secret))
  (alias export $store "secret-value" (type $value))
  (import "wasmcloud:secrets/reveal@0.1.0-draft" (instance $reveal
    (alias outer 1 $secret (type $s'))
    (export "secret" (type $s (eq $s')))
    (alias outer 1 $value (type $v'))
    (export "secret-value" (type $v (eq $v')))
    (export "reveal" (func (param "s" (borrow $s)) (result $v)))))
  (core module $libc
    (memory (export "memory") 4)
    (data (i32.const 512) "not-found")
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $get (canon lower (func $store "get") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $reveal' (canon lower (func $reveal "reveal") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $drop (canon resource.drop $secret))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "reveal" (func $reveal (param i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    ;; 16: result of get; 40: result of reveal; 64: result of read
    (func (export "read") (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 16))
      (i32.store8 (i32.const 64) (i32.load8_u (i32.const 16)))
      (if (i32.load8_u (i32.const 16))
        (then
          (if (i32.eq (i32.load8_u (i32.const 20)) (i32.const 2))
            (then
              (i32.store (i32.const 68) (i32.const 512))
              (i32.store (i32.const 72) (i32.const 9)))
            (else
              (i32.store (i32.const 68) (i32.load (i32.const 24)))
              (i32.store (i32.const 72) (i32.load (i32.const 28))))))
        (else
          (call $reveal (i32.load (i32.const 20)) (i32.const 40))
          (call $drop (i32.load (i32.const 20)))
          (i32.store (i32.const 68) (i32.load (i32.const 44)))
          (i32.store (i32.const 72) (i32.load (i32.const 48)))))
      (i32.const 64)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance (export "get" (func $get)) (export "reveal" (func $reveal')) (export "drop" (func $drop))))))
  (func $read (param "name" string) (result (result string (error string)))
    (canon lift (core func $main "read") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $reader (export "read" (func $read)))
  (export "test:secrets/reader" (instance $reader)))
