;; Copies stdin to stdout, and writes four bytes that are no text to stderr.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 2048) "\ff\00\1b\0a")
  (global $vector i32 (i32.const 1024))   ;; address and length of what is read or written
  (global $done i32 (i32.const 1040))     ;; how many bytes were
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $set_vector (param $address i32) (param $length i32)
    (i32.store (global.get $vector) (local.get $address))
    (i32.store offset=4 (global.get $vector) (local.get $length)))
  (func $main (export "_start")
    (call $set_vector (i32.const 2048) (i32.const 4))
    (drop (call $fd_write (i32.const 2) (global.get $vector) (i32.const 1) (global.get $done)))
    (loop $more
      (call $set_vector (i32.const 8192) (i32.const 4096))
      (drop (call $fd_read (i32.const 0) (global.get $vector) (i32.const 1) (global.get $done)))
      (if (i32.load (global.get $done))
        (then
          (call $set_vector (i32.const 8192) (i32.load (global.get $done)))
          (drop
            (call $fd_write (i32.const 1) (global.get $vector) (i32.const 1) (global.get $done)))
          (br $more))))))
