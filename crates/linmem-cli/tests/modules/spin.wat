;; Never ends.
(module
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $main (export "_start") (loop $forever br $forever)))
