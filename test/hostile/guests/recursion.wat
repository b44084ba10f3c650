;; A function that calls itself through its own lift and lower: every level
;; takes stack of the host. "local" makes each level use core stack as well.
(component
  (core module $Shim
    (table (export "t") 1 funcref)
    (func (export "next") (param i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))
  (core instance $shim (instantiate $Shim))
  (core module $M
    (import "" "next" (func $next (param i32) (result i32)))
    (func (export "run") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 7))
        (else (call $next (i32.sub (local.get 0) (i32.const 1)))))))
  (core instance $m (instantiate $M (with "" (instance $shim))))
  (func $run (param "n" u32) (result u32) (canon lift (core func $m "run")))
  (core func $again (canon lower (func $run)))
  (core module $Fix
    (import "" "t" (table 1 funcref))
    (import "" "again" (func $again (param i32) (result i32)))
    (elem (i32.const 0) func $again))
  (core instance (instantiate $Fix (with "" (instance
    (export "t" (table $shim "t")) (export "again" (func $again))))))
  (export "run" (func $run)))
