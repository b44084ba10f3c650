;; A realloc that keeps all that it ever gave, and traps where memory cannot grow:
;; so do programs whose allocator or glue leaks. "take" tells how many calls the
;; instance has had.
(component
  (core module $M
    (memory (export "m") 1)
    (global $next (mut i32) (i32.const 8))
    (global $calls (mut i32) (i32.const 0))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $p i32)
      (local.set $p (global.get $next))
      (global.set $next (i32.and (i32.const -8) (i32.add (i32.const 7) (i32.add (local.get $p) (local.get $new)))))
      (loop $more
        (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
          (then
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
            (br $more))))
      (local.get $p))
    (func (export "take") (param i32 i32) (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (global.get $calls)))
  (core instance $m (instantiate $M))
  (func (export "take") (param "bytes" (list u8)) (result u32)
    (canon lift (core func $m "take") (memory (core memory $m "m")) (realloc (core func $m "realloc")))))
