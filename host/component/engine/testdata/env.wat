(module
  (global (export "offset") i32 (i32.const 1))
  (table (export "table") 2 funcref))
