;; Exports an interface, and never gets so far.
(component
  (core module $M (func $s (loop $l (br $l))) (func (export "nothing")) (start $s))
  (core instance $m (instantiate $M))
  (func $nothing (canon lift (core func $m "nothing")))
  (instance $served (export "nothing" (func $nothing)))
  (export "hostile:test/served" (instance $served)))
