;; store
(component
  (import "test:store/types@1.2.3" (instance $types
    (export "bucket" (type $bucket (sub resource)))
    (type $entry' (record (field "key" string) (field "value" (list u8))))
    (export "entry" (type $entry (eq $entry')))
    (export "[constructor]bucket" (func (param "name" string) (result (own $bucket))))
    (export "[method]bucket.list" (func (param "self" (borrow $bucket)) (result (list $entry))))
    (export "[static]bucket.open" (func (param "name" string) (result (result (own $bucket) (error string)))))))
  (alias export $types "entry" (type $entry))
  (alias export $types "bucket" (type $bucket))
  (import "log" (func $log (param "line" string)))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $log' (canon lower (func $log) (memory $memory)))
  (alias export $types "[method]bucket.list" (func $list))
  (core func $list' (canon lower (func $list) (memory $memory) (realloc $realloc) string-encoding=utf16))
  (core func $drop (canon resource.drop $bucket))
  (core module $main
    (import "store" "log" (func (param i32 i32)))
    (import "store" "list" (func (param i32 i32)))
    (import "store" "drop" (func (param i32)))
    (import "libc" "memory" (memory 1))
    (func (export "count") (param i32) (result i32) unreachable)
    (func (export "first") (param i32) (result i32) unreachable)
    (func (export "post-first") (param i32)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "store" (instance
      (export "log" (func $log')) (export "list" (func $list')) (export "drop" (func $drop))))))
  (func $count (param "b" (borrow $bucket)) (result u32) (canon lift (core func $main "count")))
  (export "count" (func $count))
  (func $first (param "b" (own $bucket)) (result (option $entry))
    (canon lift (core func $main "first") (memory $memory) (realloc $realloc) (post-return (core func $main "post-first"))))
  (component $api
    (import "bucket" (type $bucket (sub resource)))
    (type $entry' (record (field "key" string) (field "value" (list u8))))
    (import "entry" (type $entry (eq $entry')))
    (import "first" (func $first (param "b" (own $bucket)) (result (option $entry))))
    (export $e "entry" (type $entry))
    (export "first" (func $first) (func (param "b" (own $bucket)) (result (option $e)))))
  (instance $api (instantiate $api
    (with "bucket" (type $bucket)) (with "entry" (type $entry)) (with "first" (func $first))))
  (export "test:store/api@1.0.0" (instance $api))
)

;; generative
(component
  (component $C
    (type $r (resource (rep i32)))
    (export $r' "r" (type $r))
    (core func $new (canon resource.new $r))
    (core module $m
      (import "" "new" (func (param i32) (result i32)))
      (func (export "make") (result i32) unreachable)
      (func (export "take") (param i32)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func $make (result (own $r')) (canon lift (core func $i "make")))
    (func $take (param "r" (own $r')) (canon lift (core func $i "take")))
    (export "make" (func $make))
    (export "take" (func $take)))
  (component $D
    (import "i" (instance $i
      (export "r" (type $r (sub resource)))
      (export "make" (func (result (own $r))))))
    (alias export $i "r" (type $r))
    (import "take" (func (param "r" (own $r)))))
  (instance $c (instantiate $C))
  (instance $d (instantiate $D (with "i" (instance $c)) (with "take" (func $c "take"))))
  (export "c" (instance $c)))

;; async
(component
  (type $s (stream u8))
  (type $f (future string))
  (import "slow" (func $slow async (param "in" $s) (result $f)))
  (core module $libc (memory (export "memory") 1) (table (export "t") 1 funcref)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $slow' (canon lower (func $slow) async (memory $memory)))
  (core func $return (canon task.return (result string) (memory $memory)))
  (core func $wait (canon waitable-set.wait (memory $memory)))
  (core func $read (canon stream.read $s async (memory $memory)))
  (core func $write (canon future.write $f async (memory $memory)))
  (core func $new (canon future.new $f))
  (core func $get (canon context.get i32 0))
  (core module $m
    (import "" "slow" (func (param i32 i32) (result i32)))
    (import "" "return" (func (param i32 i32)))
    (import "" "wait" (func (param i32 i32) (result i32)))
    (import "" "read" (func (param i32 i32 i32) (result i32)))
    (import "" "write" (func (param i32 i32) (result i32)))
    (import "" "new" (func (result i64)))
    (import "" "get" (func (result i32)))
    (func (export "run") (param i32) (result i32) unreachable)
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m (with "" (instance
    (export "slow" (func $slow')) (export "return" (func $return)) (export "wait" (func $wait))
    (export "read" (func $read)) (export "write" (func $write)) (export "new" (func $new)) (export "get" (func $get))))))
  (func (export "run") async (param "s" $s) (result string)
    (canon lift (core func $i "run") async (memory $memory) (realloc $realloc) (callback (core func $i "callback")))))

;; modules
(component
  (core type $mt (module
    (import "env" "mem" (memory 1 4))
    (export "f" (func (param i64)))))
  (import "m" (core module $m (type $mt)))
  (core module $mem (memory (export "mem") 2 3) (global (export "extra") i32 (i32.const 7)))
  (core instance $env (instantiate $mem))
  (core instance (instantiate $m (with "env" (instance $env))))
  (component $needs (import "m" (core module
    (import "env" "mem" (memory 2 4)) (import "env" "more" (func)) (export "f" (func (param i64))))))
  (instance (instantiate $needs (with "m" (core module $m))))
  (import "c" (component (export "x" (type (sub resource)))))
  (export "m2" (core module $m)))
