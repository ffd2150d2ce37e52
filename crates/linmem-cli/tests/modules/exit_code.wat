;; Exits with 7, and allocates nothing.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $main (export "_start") i32.const 7 call $proc_exit))
