;; Writes the name of the directory that it is granted to stdout; exits with 8 (EBADF) without one.
(module
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $main (export "_start")
    (local $error i32)
    ;; The name's length is the second word, where the vector has its length.
    (local.set $error (call $prestat (i32.const 3) (i32.const 1024)))
    (if (local.get $error) (then (call $proc_exit (local.get $error))))
    (drop (call $dir_name (i32.const 3) (i32.const 8192) (i32.load (i32.const 1028))))
    (i32.store (i32.const 1024) (i32.const 8192))
    (drop (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1040)))))
