;; Makes host objects, n of them, and drops them or not.
(component
  (import "hostile:test/host" (instance $host
    (export "thing" (type $thing (sub resource)))
    (export "make" (func (result (own $thing))))))
  (alias export $host "thing" (type $thing))
  (core func $make (canon lower (func $host "make")))
  (core func $drop (canon resource.drop $thing))
  (core module $M
    (import "" "make" (func $make (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (param $n i32) (param $drop i32)
      (local $h i32)
      (loop $l
        (local.set $h (call $make))
        (if (local.get $drop) (then (call $drop (local.get $h))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $l (local.get $n)))))
  (core instance $m (instantiate $M (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "run") (param "n" u32) (param "drop" bool) (canon lift (core func $m "run"))))
