;; It makes a cell by one interface, and has it read by another one.
(component
  (import "example:types/resources" (instance $resources
    (export "cell" (type $cell (sub resource)))
    (export "[constructor]cell" (func (param "value" u64) (result (own $cell))))
  ))
  (alias export $resources "cell" (type $cell))
  (import "test:pins/readers" (instance $readers
    (alias outer 1 $cell (type $outer))
    (export "cell" (type $cell (eq $outer)))
    (export "read" (func (param "c" (borrow $cell)) (result u64)))
  ))
  (core func $new (canon lower (func $resources "[constructor]cell")))
  (core func $read (canon lower (func $readers "read")))
  (core func $drop (canon resource.drop $cell))
  (core module $M
    (import "" "new" (func $new (param i64) (result i32)))
    (import "" "read" (func $read (param i32) (result i64)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (param i64) (result i64) (local i32 i64)
      (local.set 1 (call $new (local.get 0)))
      (local.set 2 (call $read (local.get 1)))
      (call $drop (local.get 1))
      (local.get 2))
  )
  (core instance $m (instantiate $M (with "" (instance
    (export "new" (func $new)) (export "read" (func $read)) (export "drop" (func $drop))))))
  (func (export "run") (param "value" u64) (result u64) (canon lift (core func $m "run")))
)
