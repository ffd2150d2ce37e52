;; Writes its arguments and its environment to stdout, each with the NUL at its end.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  ;; The sizes function stored the number of bytes at 1028, which is where the vector has its
  ;; length.
  (func $write
    (i32.store (i32.const 1024) (i32.const 8192))
    (drop (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1040))))
  (func $main (export "_start")
    (drop (call $args_sizes (i32.const 1024) (i32.const 1028)))
    (drop (call $args (i32.const 2048) (i32.const 8192)))
    (call $write)
    (drop (call $environ_sizes (i32.const 1024) (i32.const 1028)))
    (drop (call $environ (i32.const 2048) (i32.const 8192)))
    (call $write)))
