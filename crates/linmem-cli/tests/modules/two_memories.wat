;; Only the first of its memories is watched.
(module
  (memory $watched (export "memory") 1)
  (memory $other (export "other") 1 4)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $free (export "free") (param $block i32))
  (func $main (export "_start")
    i32.const 100
    call $malloc
    call $free
    (drop (memory.grow $other (i32.const 1)))))
