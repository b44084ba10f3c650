;; Tables of 1,200,000 entries, in two modules that are within the limit each.
(component
  (core module $m (table 600000 funcref))
  (core instance (instantiate $m)) (core instance (instantiate $m)))
