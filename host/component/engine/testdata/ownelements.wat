;; Does not fit its own table.
(module
  (table 2 10 funcref)
  (func $f)
  (elem (i32.const 1) $f $f))
