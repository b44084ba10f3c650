;; A memory that starts beyond the limit.
(component
  (core module $M (memory 1024))
  (core instance (instantiate $M)))
