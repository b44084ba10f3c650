;; A guest whose instances cannot be brought back to their first state from
;; outside: it writes to a table.
(component
  (core module $m
    (table $t 1 funcref)
    (func (export "grow") (result i32) (table.grow $t (ref.null func) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func (export "grow") (result u32) (canon lift (core func $i "grow"))))
