;; Begins with all the memory that there can be.
(component (core module $M (memory 65536)) (core instance (instantiate $M)))
