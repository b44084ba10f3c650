;; What calls between components are measured with: it answers each value with
;; itself. Its realloc starts over at the end of a region, so that a benchmark
;; may go on for ever.
(component
  (core module $Libc
    (memory (export "memory") 64)
    (global $next (mut i32) (i32.const 1048576))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $p i32)
      (local.set $p (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (if (i32.gt_u (i32.add (local.get $p) (local.get $size)) (i32.const 4194304))
        (then (local.set $p (i32.const 1048576))))
      (global.set $next (i32.add (local.get $p) (local.get $size)))
      (local.get $p)))
  (core instance $libc (instantiate $Libc))
  (core module $M
    (import "libc" "memory" (memory 64))
    (func (export "number") (param i32) (result i32) (local.get 0))
    (func (export "text") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0))
      (i32.store (i32.const 12) (local.get 1))
      (i32.const 8))
    (func (export "take") (param i32 i32))
    (func (export "nothing")))
  (core instance $m (instantiate $M (with "libc" (instance $libc))))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (func $number (param "v" u32) (result u32) (canon lift (core func $m "number")))
  (func $text (param "v" string) (result string)
    (canon lift (core func $m "text") (memory $memory) (realloc $realloc)))
  (func $take (param "v" string) (canon lift (core func $m "take") (memory $memory) (realloc $realloc)))
  (func $nothing (canon lift (core func $m "nothing")))
  (instance $echo
    (export "number" (func $number))
    (export "text" (func $text))
    (export "take" (func $take))
    (export "nothing" (func $nothing)))
  (export "test:calls/echo" (instance $echo)))
