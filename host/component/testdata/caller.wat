;; What calls between components are measured with: each export calls the
;; function of that name n times, so that the call of the export itself does not
;; count.
(component
  (import "test:calls/echo" (instance $echo
    (export "number" (func (param "v" u32) (result u32)))
    (export "text" (func (param "v" string) (result string)))
    (export "take" (func (param "v" string)))
    (export "nothing" (func))))
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
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $number (canon lower (func $echo "number")))
  (core func $text (canon lower (func $echo "text") (memory $memory) (realloc $realloc)))
  (core func $take (canon lower (func $echo "take") (memory $memory)))
  (core func $nothing (canon lower (func $echo "nothing")))
  (core module $M
    (import "libc" "memory" (memory 64))
    (import "echo" "number" (func $number (param i32) (result i32)))
    (import "echo" "text" (func $text (param i32 i32 i32)))
    (import "echo" "take" (func $take (param i32 i32)))
    (import "echo" "nothing" (func $nothing))
    (func (export "number") (param $n i32) (result i32)
      (local $v i32)
      (loop $again
        (local.set $v (call $number (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (local.get $n)))
      (local.get $v))
    (func (export "nothing") (param $n i32)
      (loop $again
        (call $nothing)
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (local.get $n))))
    (func (export "text") (param $n i32) (param $size i32)
      (memory.fill (i32.const 1024) (i32.const 97) (local.get $size))
      (loop $again
        (call $text (i32.const 1024) (local.get $size) (i32.const 8))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (local.get $n))))
    (func (export "take") (param $n i32) (param $size i32)
      (memory.fill (i32.const 1024) (i32.const 97) (local.get $size))
      (loop $again
        (call $take (i32.const 1024) (local.get $size))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (local.get $n)))))
  (core instance $m (instantiate $M
    (with "libc" (instance $libc))
    (with "echo" (instance
      (export "number" (func $number))
      (export "text" (func $text))
      (export "take" (func $take))
      (export "nothing" (func $nothing))))))
  (func (export "number") (param "n" u32) (result u32) (canon lift (core func $m "number")))
  (func (export "nothing") (param "n" u32) (canon lift (core func $m "nothing")))
  (func (export "text") (param "n" u32) (param "size" u32) (canon lift (core func $m "text")))
  (func (export "take") (param "n" u32) (param "size" u32) (canon lift (core func $m "take"))))
