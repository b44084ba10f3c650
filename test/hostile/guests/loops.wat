;; Endless loops where the host calls without being asked to.
(component
  (core module $M
    (func (export "spin") (loop $l (br $l)))
    (func (export "dtor") (param i32) (loop $l (br $l))))
  (core instance $m (instantiate $M))
  (type $r (resource (rep i32) (dtor (core func $m "dtor"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $N
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (call $drop (call $new (i32.const 1))))
    (func (export "bomb") (loop $l (drop (call $new (i32.const 1))) (br $l))))
  (core instance $n (instantiate $N (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "spin") (canon lift (core func $m "spin")))
  (func (export "dtor") (canon lift (core func $n "run")))
  (func (export "bomb") (canon lift (core func $n "bomb"))))
