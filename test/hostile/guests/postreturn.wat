;; resource.rep is allowed during post-return, resource.new and drop are not;
;; an endless post-return ends with its call.
(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (global $h (mut i32) (i32.const 0))
    (func (export "run") (param i32) (result i32)
      (global.set $h (call $new (i32.const 42))) (local.get 0))
    (func (export "post") (param i32)
      (if (i32.eq (local.get 0) (i32.const 0)) (then
        (if (i32.ne (call $rep (global.get $h)) (i32.const 42)) (then (unreachable)))))
      (if (i32.eq (local.get 0) (i32.const 1)) (then (drop (call $new (i32.const 1)))))
      (if (i32.eq (local.get 0) (i32.const 2)) (then (call $drop (global.get $h))))
      (if (i32.eq (local.get 0) (i32.const 3)) (then (loop $l (br $l))))
      (if (i32.eq (local.get 0) (i32.const 4)) (then (unreachable)))))
  (core instance $m (instantiate $M (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (param "what" u32) (result u32) (canon lift (core func $m "run") (post-return (core func $m "post")))))
