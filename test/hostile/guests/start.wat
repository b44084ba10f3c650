;; An endless start function.
(component
  (core module $M (func $s (loop $l (br $l))) (start $s))
  (core instance (instantiate $M)))
