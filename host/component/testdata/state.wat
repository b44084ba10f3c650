;; Every place that a call may leave something in: a global, memory that the
;; image covers, memory that it does not, memory that was grown, and a handle of
;; a resource of its own. The start function writes to memory and to a global.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core module $m
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (memory (export "memory") 3)
    (global $count (mut i32) (i32.const 0))
    (global $wide (mut i64) (i64.const 7))
    (global $real (mut f64) (f64.const 1.5))
    (data (i32.const 8) "\01\02\03\04")
    (data (i32.const 65532) "\05\06\07\08\09\0a")
    (func $start
      (global.set $count (i32.const 100))
      (i32.store (i32.const 131072) (i32.const 1000)))
    (start $start)
    ;; Adds one to everything and tells the sum of what it found, so that any
    ;; trace of a call before shows.
    (func (export "bump") (result i32)
      (local $h i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (global.set $wide (i64.add (global.get $wide) (i64.const 1)))
      (global.set $real (f64.add (global.get $real) (f64.const 1)))
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (i32.store (i32.const 65532) (i32.add (i32.load (i32.const 65532)) (i32.const 1)))
      (i32.store (i32.const 131072) (i32.add (i32.load (i32.const 131072)) (i32.const 1)))
      (local.set $h (call $new (i32.const 5)))
      (i32.add
        (i32.add (i32.add (global.get $count) (i32.wrap_i64 (global.get $wide))) (i32.trunc_f64_s (global.get $real)))
        (i32.add
          (i32.add (i32.and (i32.load (i32.const 8)) (i32.const 255)) (i32.and (i32.load (i32.const 65532)) (i32.const 255)))
          (i32.add (i32.load (i32.const 131072)) (local.get $h)))))
    ;; Grows memory by pages, writes to its last word, and tells the size.
    (func (export "grow") (param i32) (result i32)
      (drop (memory.grow (local.get 0)))
      (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const -1))
      (memory.size))
    ;; What is in memory at an address.
    (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "spin") (loop $l (br $l)))
  )
  (core instance $r (export "new" (func $new)) (export "rep" (func $rep)))
  (core instance $i (instantiate $m (with "r" (instance $r))))
  (func (export "bump") (result u32) (canon lift (core func $i "bump")))
  (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $i "grow")))
  (func (export "peek") (param "address" u32) (result u32) (canon lift (core func $i "peek")))
  (func (export "spin") (canon lift (core func $i "spin"))))
