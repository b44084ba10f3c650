;; A guest without memory, tables and types that it could misuse.
(module
  (func (export "loop") (loop $l (br $l)))
  (func $tree (param i32)
    (if (i32.eqz (local.get 0)) (then (return)))
    (call $tree (i32.sub (local.get 0) (i32.const 1)))
    (call $tree (i32.sub (local.get 0) (i32.const 1))))
  (func (export "tree") (call $tree (i32.const 60))))
