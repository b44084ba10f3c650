;; A destructor that makes another resource and drops it, without end.
(component
  (core module $Shim
    (table (export "t") 1 funcref)
    (func (export "dtor") (param i32) (call_indirect (param i32) (local.get 0) (i32.const 0))))
  (core instance $shim (instantiate $Shim))
  (type $r (resource (rep i32) (dtor (core func $shim "dtor"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "t" (table 1 funcref))
    (func $again (param i32) (call $drop (call $new (i32.const 1))))
    (elem (i32.const 0) func $again)
    (func (export "run") (call $again (i32.const 0))))
  (core instance $m (instantiate $M (with "" (instance
    (export "t" (table $shim "t")) (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $m "run"))))
