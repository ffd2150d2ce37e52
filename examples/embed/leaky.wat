;; Greets the user, and forgets that the text from the host is its own to free.
(module
  (import "host" "user_name" (func $user_name (result i32)))
  (import "host" "print" (func $print (param i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func $free (export "free") (param $block i32))
  (func $greet (export "greet")
    (call $print (call $user_name))))
