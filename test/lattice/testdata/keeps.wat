;; It calls a component while it has a cell of it.
(component
  (import "example:types/resources" (instance $resources
    (export "cell" (type $cell (sub resource)))
    (export "[constructor]cell" (func (param "value" u64) (result (own $cell))))
  ))
  (import "example:types/values" (instance $values (export "nothing" (func))))
  (alias export $resources "cell" (type $cell))
  (core func $new (canon lower (func $resources "[constructor]cell")))
  (core func $drop (canon resource.drop $cell))
  (core func $nothing (canon lower (func $values "nothing")))
  (core module $M
    (import "" "new" (func $new (param i64) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "nothing" (func $nothing))
    (func (export "run") (result i64) (local i32)
      (local.set 0 (call $new (i64.const 1)))
      (call $nothing)
      (call $drop (local.get 0))
      (i64.const 1))
  )
  (core instance $m (instantiate $M (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop)) (export "nothing" (func $nothing))))))
  (func (export "run") (result u64) (canon lift (core func $m "run")))
)
