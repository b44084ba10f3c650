;; Begins with a table of four thousand million entries.
(component (core module $M (table 0xffffffff funcref)) (core instance (instantiate $M)))
