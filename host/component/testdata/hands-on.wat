;; It exports what it imports.
(component
  (import "example:types/resources" (instance $resources
    (export "cell" (type $cell (sub resource)))
    (export "[constructor]cell" (func (param "value" u64) (result (own $cell))))
  ))
  (export "example:types/resources" (instance $resources))
)
