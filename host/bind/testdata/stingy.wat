;; Asks for its directories and gives the host room so many times, then traps.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))
  ))
  (core module $Memory
    (memory (export "mem") 1)
    (global $left (mut i32) (i32.const 0))
    (global $next (mut i32) (i32.const 1024))
    (func (export "allow") (param i32) (global.set $left (local.get 0)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (i32.eqz (global.get $left)) (then (unreachable)))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (i32.const 256))))
  )
  (core instance $memory (instantiate $Memory))
  (core func $get (canon lower (func $preopens "get-directories")
    (memory (core memory $memory "mem")) (realloc (core func $memory "realloc"))))
  (core module $M
    (import "" "get" (func $get (param i32)))
    (import "" "allow" (func $allow (param i32)))
    (func (export "directories") (param i32) (call $allow (local.get 0)) (call $get (i32.const 16)))
  )
  (core instance $m (instantiate $M (with "" (instance
    (export "get" (func $get)) (export "allow" (func $memory "allow"))))))
  (func (export "directories") (param "room" u32) (canon lift (core func $m "directories")))
)
