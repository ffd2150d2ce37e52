;; Traps while a block is alive.
(module
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $check (param $block i32) unreachable)
  (func $main (export "_start") i32.const 100 call $malloc call $check))
