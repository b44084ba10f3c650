;; What test scripts may import: the instance "host" and two functions, with the
;; names and behaviour that wasmtime's scripts expect of their runner. Written as
;; a component, so that scripts are linked component to component.
(component
  (component $Host
    (core module $State
      (global $drops (mut i32) (i32.const 0))
      (global $last (mut i32) (i32.const 0))
      (func (export "dtor") (param i32)
        (global.set $drops (i32.add (global.get $drops) (i32.const 1)))
        (global.set $last (local.get 0)))
      (func (export "drops") (result i32) (global.get $drops))
      (func (export "last") (result i32) (global.get $last))
    )
    (core instance $state (instantiate $State))
    (type $r1' (resource (rep i32) (dtor (core func $state "dtor"))))
    (type $r2' (resource (rep i32)))
    (export $r1 "resource1" (type $r1'))
    (export $r2 "resource2" (type $r2'))
    (export "resource1-again" (type $r1))

    (core func $new (canon resource.new $r1'))
    (core func $rep (canon resource.rep $r1'))
    (core module $Funcs
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
      ;; The host takes an owned handle without running its destructor: it stays
      ;; in this table.
      (func (export "assert") (param i32 i32)
        (if (i32.ne (call $rep (local.get 0)) (local.get 1)) (then unreachable)))
      (func (export "simple") (param i32 i32)
        (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
      (func (export "two-borrows") (param i32 i32))
      (func (export "borrow-and-own") (param i32 i32)
        (drop (call $rep (local.get 1))))
      (func (export "three") (result i32) (i32.const 3))
    )
    (core instance $funcs (instantiate $Funcs (with "" (instance
      (export "new" (func $new))
      (export "rep" (func $rep))
    ))))
    (func (export "return-three") (result u32) (canon lift (core func $funcs "three")))
    (func (export "[constructor]resource1") (param "r" u32) (result (own $r1))
      (canon lift (core func $funcs "new")))
    (func (export "[static]resource1.assert") (param "r" (own $r1)) (param "rep" u32)
      (canon lift (core func $funcs "assert")))
    (func (export "[static]resource1.last-drop") (result u32) (canon lift (core func $state "last")))
    (func (export "[static]resource1.drops") (result u32) (canon lift (core func $state "drops")))
    (func (export "[method]resource1.simple") (param "self" (borrow $r1)) (param "rep" u32)
      (canon lift (core func $funcs "simple")))
    (func (export "[method]resource1.take-borrow") (param "self" (borrow $r1)) (param "b" (borrow $r1))
      (canon lift (core func $funcs "two-borrows")))
    (func (export "[method]resource1.take-own") (param "self" (borrow $r1)) (param "b" (own $r1))
      (canon lift (core func $funcs "borrow-and-own")))

    (component $Nested
      (core module $M (func (export "four") (result i32) (i32.const 4)))
      (core instance $m (instantiate $M))
      (func (export "return-four") (result u32) (canon lift (core func $m "four")))
    )
    (instance $nested (instantiate $Nested))
    (export "nested" (instance $nested))

    (core module $Simple
      (global (export "g") i32 (i32.const 100))
      (func (export "f") (result i32) (i32.const 101))
    )
    (export "simple-module" (core module $Simple))
  )
  (instance $host (instantiate $Host))
  (export "host" (instance $host))

  (core module $Root
    (func (export "echo") (param i32) (result i32) (local.get 0))
    (func (export "two") (result i32) (i32.const 2))
  )
  (core instance $root (instantiate $Root))
  (func (export "host-echo-u32") (param "v" u32) (result u32) (canon lift (core func $root "echo")))
  (func (export "host-return-two") (result u32) (canon lift (core func $root "two")))
)
