;; A start function that never stops calling itself.
(component
  (core module $M (func $s (call $s) (nop)) (start $s))
  (core instance (instantiate $M)))
