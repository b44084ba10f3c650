;; Eight memories, each within the limit of one.
(component
  (core module $M (memory (export "m") 16)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
  (core instance (instantiate $M)) (core instance (instantiate $M)) (core instance (instantiate $M)) (core instance (instantiate $M))
  (core instance (instantiate $M)) (core instance (instantiate $M)) (core instance (instantiate $M)) (core instance $m (instantiate $M))
  (func (export "grow") (param "n" u32) (result s32) (canon lift (core func $m "grow"))))
