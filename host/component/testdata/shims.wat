;; Modules that import functions by way of a shim's table, as toolchains have
;; them do it, and in ways that no toolchain would think of.
(component
  (component $Inc
    (core module $M (func (export "inc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
    (core instance $m (instantiate $M))
    (func (export "inc") (param "v" u32) (result u32) (canon lift (core func $m "inc"))))
  (instance $inc (instantiate $Inc))

  ;; A shim of two functions, the module that uses it, and one that fills it.
  (component $Direct
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i32) (result i32)))
      (table (export "$imports") 2 2 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func (export "1") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 1))))
    (core module $Main
      (import "h" "a" (func $a (param i32) (result i32)))
      (import "h" "b" (func $b (param i32) (result i32)))
      (func (export "run") (param i32) (result i32) (call $b (call $a (local.get 0)))))
    (core module $Double
      (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
    (core module $Fill
      (import "" "$imports" (table 2 2 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (import "" "1" (func $b (param i32) (result i32)))
      (elem (i32.const 0) func $b $b)
      (elem (i32.const 0) func $a))
    (core instance $double (instantiate $Double))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance
      (export "a" (func $shim "0")) (export "b" (func $shim "1"))))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports"))
      (export "0" (func $lower)) (export "1" (func $double "double"))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $direct (instantiate $Direct (with "inc" (func $inc "inc"))))

  ;; The shim's second entry is a function of a module after the one that uses it.
  (component $Late
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i32) (result i32)))
      (table (export "$imports") 2 2 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func (export "1") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 1))))
    (core module $Main
      (import "h" "a" (func $a (param i32) (result i32)))
      (import "h" "b" (func $b (param i32) (result i32)))
      (global (export "factor") i32 (i32.const 3))
      (func (export "run") (param i32) (result i32) (call $b (call $a (local.get 0)))))
    (core module $Times
      (import "main" "factor" (global i32))
      (func (export "times") (param i32) (result i32) (i32.mul (local.get 0) (global.get 0))))
    (core module $Fill
      (import "" "$imports" (table 2 2 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (import "" "1" (func $b (param i32) (result i32)))
      (elem (i32.const 0) func $a $b))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance
      (export "a" (func $shim "0")) (export "b" (func $shim "1"))))))
    (core instance $times (instantiate $Times (with "main" (instance $main))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports"))
      (export "0" (func $lower)) (export "1" (func $times "times"))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $late (instantiate $Late (with "inc" (func $inc "inc"))))

  ;; An entry that is never filled: calling it traps.
  (component $Hole
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i32) (result i32)))
      (table (export "$imports") 2 2 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func (export "1") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 1))))
    (core module $Main
      (import "h" "a" (func $a (param i32) (result i32)))
      (func (export "run") (param i32) (result i32) (call $a (local.get 0))))
    (core module $Fill
      (import "" "$imports" (table 2 2 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (elem (i32.const 0) func $a))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance (export "a" (func $shim "1"))))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports")) (export "0" (func $lower))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $hole (instantiate $Hole (with "inc" (func $inc "inc"))))

  ;; An entry of another type than what calls it: calling it traps.
  (component $Type
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i64) (result i32)))
      (table (export "$imports") 1 1 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))
    (core module $Main
      (import "h" "a" (func $a (param i64) (result i32)))
      (func (export "run") (param i32) (result i32) (call $a (i64.extend_i32_u (local.get 0)))))
    (core module $Fill
      (import "" "$imports" (table 1 1 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (elem (i32.const 0) func $a))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance (export "a" (func $shim "0"))))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports")) (export "0" (func $lower))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $type (instantiate $Type (with "inc" (func $inc "inc"))))

  ;; Somebody else has the table too, and changes it when called.
  (component $Shared
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i32) (result i32)))
      (table (export "$imports") 1 1 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))
    (core module $Main
      (import "h" "a" (func $a (param i32) (result i32)))
      (import "h" "t" (table 1 1 funcref))
      (elem declare func $seven)
      (func $seven (param i32) (result i32) (i32.const 7))
      (func (export "run") (param i32) (result i32)
        (table.set (i32.const 0) (ref.func $seven))
        (call $a (local.get 0))))
    (core module $Fill
      (import "" "$imports" (table 1 1 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (elem (i32.const 0) func $a))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance
      (export "a" (func $shim "0")) (export "t" (table $shim "$imports"))))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports")) (export "0" (func $lower))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $shared (instantiate $Shared (with "inc" (func $inc "inc"))))

  ;; The module that fills has something to start.
  (component $Starts
    (import "inc" (func $inc (param "v" u32) (result u32)))
    (core func $lower (canon lower (func $inc)))
    (core module $Shim
      (type $t (func (param i32) (result i32)))
      (table (export "$imports") 1 1 funcref)
      (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))
    (core module $Main
      (import "h" "a" (func $a (param i32) (result i32)))
      (global $n (mut i32) (i32.const 0))
      (func (export "init") (global.set $n (call $a (i32.const 40))))
      (func (export "run") (param i32) (result i32) (i32.add (global.get $n) (call $a (local.get 0)))))
    (core module $Fill
      (import "" "$imports" (table 1 1 funcref))
      (import "" "0" (func $a (param i32) (result i32)))
      (import "" "init" (func $init))
      (elem (i32.const 0) func $a)
      (start $init))
    (core instance $shim (instantiate $Shim))
    (core instance $main (instantiate $Main (with "h" (instance (export "a" (func $shim "0"))))))
    (core instance (instantiate $Fill (with "" (instance
      (export "$imports" (table $shim "$imports")) (export "0" (func $lower))
      (export "init" (func $main "init"))))))
    (func (export "run") (param "v" u32) (result u32) (canon lift (core func $main "run"))))
  (instance $starts (instantiate $Starts (with "inc" (func $inc "inc"))))

  (export "direct" (func $direct "run"))
  (export "late" (func $late "run"))
  (export "hole" (func $hole "run"))
  (export "type" (func $type "run"))
  (export "shared" (func $shared "run"))
  (export "starts" (func $starts "run")))
