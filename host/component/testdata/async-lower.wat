;; A function that is lowered with the asynchronous ABI has another signature;
;; the other functions of such a component work.
(component
  (component $Callee
    (core module $M (func (export "f") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M))
    (func (export "f") async (param "x" u32) (result u32) (canon lift (core func $m "f")))
  )
  (instance $callee (instantiate $Callee))
  (core module $Memory (memory (export "mem") 1))
  (core instance $memory (instantiate $Memory))
  (core func $f (canon lower (func $callee "f") async (memory (core memory $memory "mem"))))
  (core module $M
    (import "" "f" (func $f (param i32 i32) (result i32)))
    (func (export "call-async") (result i32) (call $f (i32.const 5) (i32.const 16)))
    (func (export "one") (result i32) (i32.const 1))
  )
  (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
  (func (export "call-async") (result u32) (canon lift (core func $m "call-async")))
  (func (export "one") (result u32) (canon lift (core func $m "one")))
)
