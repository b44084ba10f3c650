;; Generated functions that are lifted as they are, without a core module
;; between, and one that a core module only passes on.
(component
  (import "hostile:test/host" (instance $host
    (export "thing" (type $thing (sub resource)))
    (export "make" (func (result (own $thing))))
    (export "trap" (func))
    (export "panic" (func (param "x" u32) (result u32)))))
  (alias export $host "thing" (type $thing))
  (core func $make (canon lower (func $host "make")))
  (core func $trap (canon lower (func $host "trap")))
  (core func $panic (canon lower (func $host "panic")))
  (core func $drop (canon resource.drop $thing))
  (core module $Pass (import "" "f" (func $f)) (export "f" (func $f)))
  (core instance $pass (instantiate $Pass (with "" (instance (export "f" (func $trap))))))
  (func (export "passed-on") (canon lift (core func $pass "f")))
  (func (export "trap") (canon lift (core func $trap)))
  (func (export "panic") (param "x" u32) (result u32) (canon lift (core func $panic)))
  (func (export "make") (result u32) (canon lift (core func $make)))
  (func (export "drop") (param "h" u32) (canon lift (core func $drop))))
