;; A library: _initialize loses a block.
(module
  (memory (export "memory") 1)
  (func $malloc (export "malloc") (param $size i32) (result i32) i32.const 4096)
  (func $constructors i32.const 100 call $malloc drop)
  (func $initialize (export "_initialize") call $constructors)
  (func $answer (export "answer") (result i32) i32.const 42))
