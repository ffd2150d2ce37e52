;; The same for the component model's strings: pointer and length, and one block.
(component
  (core module $guest
    (memory (export "memory") 200)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "first") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "text") (param i32) (result i32)
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (local.get 0))
      (i32.const 16)))
  (core instance $guest (instantiate $guest))
  (func (export "first") (param "text" string) (result u32)
    (canon lift (core func $guest "first")
      (memory (core memory $guest "memory")) (realloc (core func $guest "cabi_realloc")) string-encoding=utf8))
  (func (export "text") (param "length" u32) (result string)
    (canon lift (core func $guest "text") (memory (core memory $guest "memory")) string-encoding=utf8)))
