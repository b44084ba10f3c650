;; Results and arguments that are not what their types say: pointers, lengths,
;; encodings, discriminants.
(component
  (import "wasi:logging/logging" (instance $log
    (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $l)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $Mem
    (memory (export "m") 1)
    (data (i32.const 16) "\c3\28")                 ;; no UTF-8
    (data (i32.const 18) "\ed\a0\80")              ;; a surrogate in UTF-8
    (data (i32.const 22) "\f4\90\80\80")           ;; beyond U+10FFFF
    (data (i32.const 26) "\c0\80")                 ;; longer than needed
    (data (i32.const 32) "\00\d8\41\00")           ;; half a pair in UTF-16
    (data (i32.const 36) "\00\dc")                 ;; the other half
    (data (i32.const 40) "\09\00\00\00\07\00\00\00") ;; discriminants
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $mem (instantiate $Mem))
  (core func $log8 (canon lower (func $log "log") (memory (core memory $mem "m")) string-encoding=utf8))
  (core func $log16 (canon lower (func $log "log") (memory (core memory $mem "m")) string-encoding=utf16))
  (core func $log1 (canon lower (func $log "log") (memory (core memory $mem "m")) string-encoding=latin1+utf16))
  (core module $M
    (import "mem" "m" (memory 1))
    (type $log (func (param i32 i32 i32 i32 i32)))
    (import "log" "utf8" (func $log8 (type $log)))
    (import "log" "utf16" (func $log16 (type $log)))
    (import "log" "latin1" (func $log1 (type $log)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "pair") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0))
    (func (export "log8") (param i32 i32 i32) (call $log8 (local.get 0) (i32.const 0) (i32.const 0) (local.get 1) (local.get 2)))
    (func (export "log16") (param i32 i32 i32) (call $log16 (local.get 0) (i32.const 0) (i32.const 0) (local.get 1) (local.get 2)))
    (func (export "log1") (param i32 i32 i32) (call $log1 (local.get 0) (i32.const 0) (i32.const 0) (local.get 1) (local.get 2)))
    ;; n strings that are all the same 32 KiB
    (func (export "same-strings") (param $n i32) (result i32)
      (local $i i32)
      (drop (memory.grow (i32.div_u (local.get $n) (i32.const 4096))))
      (loop $l
        (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 8))) (i32.const 1024))
        (i32.store (i32.add (i32.const 1028) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
      (local.set $i (i32.const 0))
      (loop $l
        (i32.store (i32.add (i32.const 1028) (i32.mul (local.get $i) (i32.const 8))) (i32.const 512))
        (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 8))) (i32.const 512))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
      (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (local.get $n)) (i32.const 0)))
  (core instance $m (instantiate $M (with "mem" (instance $mem)) (with "log" (instance
    (export "utf8" (func $log8)) (export "utf16" (func $log16)) (export "latin1" (func $log1))))))
  (func (export "char") (param "x" u32) (result char) (canon lift (core func $m "same")))
  (func (export "bool") (param "x" u32) (result bool) (canon lift (core func $m "same")))
  (type $e (enum "a" "b" "c"))
  (export $enum "e" (type $e))
  (func (export "enum") (param "x" u32) (result $enum) (canon lift (core func $m "same")))
  (type $f (flags "a" "b"))
  (export $flags "f" (type $f))
  (func (export "flags") (param "x" u32) (result $flags) (canon lift (core func $m "same")))
  (func (export "option") (param "at" u32) (result (option u32)) (canon lift (core func $m "same") (memory (core memory $mem "m"))))
  (func (export "result") (param "at" u32) (result (result u32 (error u32))) (canon lift (core func $m "same") (memory (core memory $mem "m"))))
  (func (export "utf8") (param "at" u32) (param "n" u32) (result string)
    (canon lift (core func $m "pair") (memory (core memory $mem "m")) string-encoding=utf8))
  (func (export "utf16") (param "at" u32) (param "n" u32) (result string)
    (canon lift (core func $m "pair") (memory (core memory $mem "m")) string-encoding=utf16))
  (func (export "latin1") (param "at" u32) (param "n" u32) (result string)
    (canon lift (core func $m "pair") (memory (core memory $mem "m")) string-encoding=latin1+utf16))
  (func (export "numbers") (param "at" u32) (param "n" u32) (result (list u64)) (canon lift (core func $m "pair") (memory (core memory $mem "m"))))
  (func (export "bytes") (param "at" u32) (param "n" u32) (result (list u8)) (canon lift (core func $m "pair") (memory (core memory $mem "m"))))
  (func (export "enums") (param "at" u32) (param "n" u32) (result (list $enum)) (canon lift (core func $m "pair") (memory (core memory $mem "m"))))
  (func (export "chars") (param "at" u32) (param "n" u32) (result (list char)) (canon lift (core func $m "pair") (memory (core memory $mem "m"))))
  (func (export "strings") (param "n" u32) (result (list string)) (canon lift (core func $m "same-strings") (memory (core memory $mem "m"))))
  (func (export "log8") (param "level" u32) (param "at" u32) (param "n" u32) (canon lift (core func $m "log8")))
  (func (export "log16") (param "level" u32) (param "at" u32) (param "n" u32) (canon lift (core func $m "log16")))
  (func (export "log1") (param "level" u32) (param "at" u32) (param "n" u32) (canon lift (core func $m "log1"))))
