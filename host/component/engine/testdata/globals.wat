(module
  (global (export "i32") (mut i32) (i32.const 5))
  (global $hidden (mut i64) (i64.const 6))
  (global (export "const") i32 (i32.const 7))
  (global $v (mut v128) (v128.const i64x2 1 2))
  (func (export "hidden") (result i64) (global.get $hidden)))
