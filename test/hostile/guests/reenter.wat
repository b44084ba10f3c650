;; A parent and its child that call each other while they may not: "again"
;; enters the child that waits for its parent, "callback" does so by a
;; destructor, "back" calls the parent, which is allowed.
(component
  (component $P
    (core module $Table
      (table (export "t") 2 funcref)
      (func (export "back") (call_indirect (i32.const 0)))
      (func (export "dtor") (param i32) (call_indirect (i32.const 1))))
    (core instance $table (instantiate $Table))
    (type $r (resource (rep i32) (dtor (core func $table "dtor"))))
    (core func $new (canon resource.new $r))
    (func $back (canon lift (core func $table "back")))
    (component $C
      (import "r" (type $r (sub resource)))
      (import "back" (func $back))
      (core func $back (canon lower (func $back)))
      (core func $drop (canon resource.drop $r))
      (core module $M
        (import "" "back" (func $back))
        (import "" "drop" (func $drop (param i32)))
        (func (export "go") (call $back))
        (func (export "drop") (param i32) (call $drop (local.get 0)))
        (func (export "nothing")))
      (core instance $m (instantiate $M (with "" (instance (export "back" (func $back)) (export "drop" (func $drop))))))
      (func (export "go") (canon lift (core func $m "go")))
      (func (export "drop") (param "x" (own $r)) (canon lift (core func $m "drop")))
      (func (export "nothing") (canon lift (core func $m "nothing"))))
    (instance $c (instantiate $C (with "r" (type $r)) (with "back" (func $back))))
    (core func $go (canon lower (func $c "go")))
    (core func $drop (canon lower (func $c "drop")))
    (core func $nothing (canon lower (func $c "nothing")))
    (core module $M
      (import "table" "t" (table 2 funcref))
      (import "" "go" (func $go))
      (import "" "drop" (func $drop (param i32)))
      (import "" "nothing" (func $nothing))
      (import "" "new" (func $new (param i32) (result i32)))
      (func $idle)
      (elem declare func $idle $nothing)
      (func (export "back") (table.set 0 (i32.const 0) (ref.func $idle)) (call $go))
      (func (export "again") (table.set 0 (i32.const 0) (ref.func $nothing)) (call $go))
      (func (export "dtor") (table.set 0 (i32.const 1) (ref.func $nothing)) (call $drop (call $new (i32.const 1)))))
    (core instance $m (instantiate $M (with "table" (instance $table)) (with "" (instance
      (export "go" (func $go)) (export "drop" (func $drop)) (export "nothing" (func $nothing)) (export "new" (func $new))))))
    (func (export "back") (canon lift (core func $m "back")))
    (func (export "again") (canon lift (core func $m "again")))
    (func (export "dtor") (canon lift (core func $m "dtor"))))
  (instance $p (instantiate $P))
  (export "back" (func $p "back"))
  (export "again" (func $p "again"))
  (export "dtor" (func $p "dtor")))
