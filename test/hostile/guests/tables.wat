;; Two modules whose tables grow as far as they may.
(component
  (core module $m (table 10 funcref)
    (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))
  (core instance $a (instantiate $m)) (core instance (instantiate $m))
  (func (export "grow") (param "n" u32) (result s32) (canon lift (core func $a "grow"))))
