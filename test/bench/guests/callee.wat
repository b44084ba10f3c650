;; Takes calls; and is reset, interrupted and made by the thousand. The rig adds
;; 10 MB of data to it, from byte 65,536 on, where that matters.
(module
  (memory (export "memory") 17)
  (global $at (mut i32) (i32.const 65536)) ;; end of what is in use
  ;; Memory for parameters: every call starts over.
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
    (local $p i32)
    (local.set $p (i32.and
      (i32.add (global.get $at) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $at (i32.add (local.get $p) (local.get $new)))
    (local.get $p))
  (func (export "bench:guest/data#take-number") (param $v i32) (result i32)
    (local.get $v))
  (func (export "bench:guest/data#take-text") (param $p i32) (param $n i32) (result i32)
    (global.set $at (i32.const 65536))
    (local.get $n))
  (func (export "bench:guest/data#take-record")
    (param $a i32) (param $b i32) (param $c i32) (param $d i64) (param $e i64)
    (param $f f32) (param $g f64) (param $h i32) (param $i i32) (param $j i32) (param $n i32) (result i32)
    (global.set $at (i32.const 65536))
    (i32.add (local.get $c) (local.get $n)))
  (func (export "bench:guest/data#take-records") (param $p i32) (param $n i32) (result i32)
    (local $last i32)
    (global.set $at (i32.const 65536))
    (local.set $last (i32.add (local.get $p) (i32.mul (i32.sub (local.get $n) (i32.const 1)) (i32.const 56))))
    (i32.add (local.get $n) (i32.add (i32.load offset=4 (local.get $last)) (i32.load offset=52 (local.get $last)))))
  (func (export "touch") (param $start i32) (param $pages i32) (result i32)
    (local $i i32)
    (if (local.get $pages) (then
      (loop $again
        (i32.store8 (i32.add (local.get $start) (i32.shl (local.get $i) (i32.const 12))) (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $pages))))))
    (local.get $i))
  (func (export "spin") (param $n i32) (result i32)
    (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i)))
