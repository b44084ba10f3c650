;; A start function that takes host objects and traps.
(component
  (import "hostile:test/host" (instance $host
    (export "thing" (type $thing (sub resource)))
    (export "make" (func (result (own $thing))))))
  (core func $make (canon lower (func $host "make")))
  (core module $M (import "" "make" (func $make (result i32)))
    (func $s (drop (call $make)) (drop (call $make)) (unreachable)) (start $s))
  (core instance (instantiate $M (with "" (instance (export "make" (func $make)))))))
