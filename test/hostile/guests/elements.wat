;; An element segment that does not fit its table.
(component
  (core module $M (table 1 funcref) (func $f) (elem (i32.const 1) func $f))
  (core instance (instantiate $M)))
