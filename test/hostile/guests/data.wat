;; Data that do not fit the memory, and would be the host's neighbour.
(component
  (core module $M (memory 1) (data (i32.const 65535) "ab"))
  (core instance (instantiate $M)))
