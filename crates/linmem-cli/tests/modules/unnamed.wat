;; What a stripped module looks like: nothing says that function 0 is malloc.
(module
  (memory 1)
  (func (param i32) (result i32)
    i32.const 1
    memory.grow
    i32.const 65536
    i32.mul)
  (func (export "_start") i32.const 100 call 0 drop))
