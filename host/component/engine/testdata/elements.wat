;; The offset of the elements is the importer's choice.
(module
  (import "env" "offset" (global $offset i32))
  (import "env" "table" (table 2 funcref))
  (func $f)
  (elem (global.get $offset) $f $f))
