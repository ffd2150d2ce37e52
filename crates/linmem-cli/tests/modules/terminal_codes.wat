;; Its function names would turn a terminal red and say what linmem did not.
(module
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $loses (@name "\1b[31mlinmem: no problems found\0a\1b[2K") i32.const 100 call $malloc drop)
  (func $main (export "_start") call $loses))
