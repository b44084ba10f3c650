;; A start function that calls the host and then never ends.
(module
  (import "host" "0" (func $host (param i32) (result i32)))
  (memory 1)
  (func $start
    (drop (call $host (i32.const 7)))
    (loop $l (br $l)))
  (start $start))
