;; type-index: unknown type 3: type index out of bounds
(component (type (list 3)))
;; not-a-value: type index 0 is not a defined type
(component (type (func)) (type (list 0)))
;; map-key: type may not be the key of a map
(component (type (map f32 u8)))
;; stream-borrow: element contains a borrow
(component (import "r" (type $r (sub resource))) (type (stream (borrow $r))))
;; borrow-result: result contains a borrow
(component (import "r" (type $r (sub resource))) (type (func (result (list (borrow $r))))))
;; label: record field name `Ab` is not in kebab case
(component (type (record (field "Ab" u8))))
;; label-twice: conflicts with previous name `a-b`
(component (type (enum "a-b" "A-B")))
;; size: type exceeds maximum byte size
(component (type (list string 20000000)))
;; import-name: import name: `a_b` is not in kebab case
(component (import "a_b" (func)))
;; import-version: `1.2` is not a valid semver
(component (import "a:b/c@1.2" (instance)))
;; import-twice: import name `[method]r.r` conflicts with previous name `r`
(component (import "r" (type $r (sub resource))) (import "[method]r.r" (func (param "self" (borrow $r)))))
;; method-self: first argument called `self`
(component (import "r" (type $r (sub resource))) (import "[method]r.x" (func (param "this" (borrow $r)))))
;; constructor-other: function does not match expected resource name `s`
(component (import "r" (type $r (sub resource))) (import "s" (type (sub resource)))
  (import "[constructor]s" (func (result (own $r)))))
;; implements-func: only instances can have an `implements`
(component (import "a" (implements "b:c/d") (func)))
;; hidden-resource: func not valid to be used as import
(component (type $r (resource (rep i32))) (import "f" (func (param "r" (own $r)))))
;; hidden-record: func not valid to be used as import
(component (type $t (record (field "a" u8))) (import "f" (func (param "t" $t))))
;; hidden-in-instance: instance not valid to be used as import
(component (import "i" (instance (type $t (flags "a")) (export "f" (func (result (option $t)))))))
;; import-of-export: func not valid to be used as import
(component (type $t (enum "a")) (export $u "u" (type $t)) (import "f" (func (param "t" $u))))
;; ascribed: ascribed type of export is not compatible
(component (import "f" (func $f)) (export "g" (func $f) (func (result u8))))
;; missing-import: missing import named `x`
(component (component $c (import "x" (func))) (instance (instantiate $c)))
;; argument-type: type mismatch for import `x`: type mismatch with result type: expected u8, found s8
(component (import "f" (func $f (result s8))) (component $c (import "x" (func (result u8))))
  (instance (instantiate $c (with "x" (func $f)))))
;; argument-deep: type mismatch in record field `b`: type mismatch in list element: expected u8, found u16
(component (type $t (record (field "a" u8) (field "b" (list u16))))
  (component $c (type $t (record (field "a" u8) (field "b" (list u8)))) (import "t" (type (eq $t))))
  (instance (instantiate $c (with "t" (type $t)))))
;; argument-export: missing expected export `b`
(component (import "i" (instance $i (export "a" (func)))) (component $c (import "x" (instance (export "b" (func)))))
  (instance (instantiate $c (with "x" (instance $i)))))
;; two-instances: resource types are not the same
(component
  (component $C (type $r (resource (rep i32))) (export "r" (type $r)))
  (instance $a (instantiate $C)) (instance $b (instantiate $C))
  (component $D (import "r" (type $r (sub resource))) (import "s" (type (eq $r))))
  (instance (instantiate $D (with "r" (type $a "r")) (with "s" (type $b "r")))))
;; component-imports: missing expected import `more`
(component
  (component $c (import "more" (func)))
  (component $d (import "c" (component)))
  (instance (instantiate $d (with "c" (component $c)))))
;; outer-resource: transitively refers to resources
(component $A (type $r (resource (rep i32))) (type $o (own $r)) (component (alias outer $A $o (type))))
;; outer-count: invalid outer alias count of 4
(component (alias outer 4 0 (type)))
;; resource-in-type: resources can only be defined within a concrete component
(component (type (instance (type (resource (rep i32))))))
;; foreign-resource: type index 0 is not a local resource
(component (import "r" (type $r (sub resource))) (core func (canon resource.rep $r)))
;; destructor: wrong signature for a destructor
(component (core module $m (func (export "d") (param i64))) (core instance $i (instantiate $m))
  (type (resource (rep i32) (dtor (core func $i "d")))))
;; core-argument: missing module instantiation argument named `env`
(component (core module $m (import "env" "f" (func))) (core instance (instantiate $m)))
;; core-export: does not export an item named `f`
(component (core module $m (import "env" "f" (func))) (core instance (instantiate $m (with "env" (instance)))))
;; core-type: expected: (func [i32] -> []), found: (func [i64] -> [])
(component (core module $n (func (export "f") (param i64))) (core module $m (import "env" "f" (func (param i32))))
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "env" (instance $n)))))
;; core-limits: mismatch in memory limits
(component (core module $n (memory (export "m") 1)) (core module $m (import "env" "m" (memory 1 2)))
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "env" (instance $n)))))
;; core-mutability: global types differ in mutability
(component (core module $n (global (export "g") i32 (i32.const 0))) (core module $m (import "env" "g" (global (mut i32))))
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "env" (instance $n)))))
;; lift-params: lowered parameter types `[i32]` do not match parameter types `[]`
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (param "a" u8) (canon lift (core func $i "f"))))
;; lift-realloc: canonical option `realloc` is required
(component (core module $m (memory (export "m") 1) (func (export "f") (param i32 i32))) (core instance $i (instantiate $m))
  (func (param "a" string) (canon lift (core func $i "f") (memory (core memory $i "m")))))
;; lift-many: canonical option `realloc` is required
(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
  (func (param "a" (list u8 17)) (canon lift (core func $i "f"))))
;; lower-memory: canonical option `memory` is required
(component (import "f" (func $f (result (tuple u8 u8)))) (core func (canon lower (func $f))))
;; lower-post-return: `post-return` cannot be specified for lowerings
(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (import "f" (func $f)) (core func (canon lower (func $f) (post-return (core func $i "f")))))
;; lower-async: the `async` canonical option requires an async function type
(component (core module $m (memory (export "m") 1)) (core instance $i (instantiate $m))
  (import "f" (func $f)) (core func (canon lower (func $f) async (memory (core memory $i "m")))))
;; lower-32-bit: unsupported: 64-bit memory
(component (core module $m (memory (export "m") i64 1)) (core instance $i (instantiate $m))
  (import "f" (func $f (param "a" string))) (core func (canon lower (func $f) (memory (core memory $i "m")))))
;; callback: `callback` cannot be specified without `async`
(component (core module $m (func (export "f")) (func (export "c") (param i32 i32 i32) (result i32) unreachable)) (core instance $i (instantiate $m))
  (func async (canon lift (core func $i "f") (callback (core func $i "c")))))
;; context-slot: context slot must be less than 2
(component (core func (canon context.get i32 2)))
;; stream-type: type index 0 is not a stream type
(component (type $f (future u8)) (core func (canon stream.new $f)))
;; task-return: canonical option `realloc` cannot be specified for task.return
(component (core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)) (core instance $i (instantiate $m))
  (core func (canon task.return (result u8) (memory (core memory $i "m")) (realloc (core func $i "r")))))
;; value: values are a gated feature
(component (import "v" (value u8)))
;; module-export: export name `a` already defined
(component (core type (module (export "a" (func)) (export "a" (func)))))
;; module-import: duplicate import name `a:b`
(component (core type (module (import "a" "b" (func)) (import "a" "b" (func)))))
;; module-in-module: may not be aliased in a core module type
(component $C (core type $m (module)) (core type (module (alias outer $C $m (type)))))
