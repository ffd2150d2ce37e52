;; Allocates and frees $pairs blocks, at most 256 at a time: each step frees the
;; block in a slot that looks random, if there is one, and puts a new one there.
;; The allocator is a list of free blocks, all of 256 bytes, and costs next to
;; nothing. PAIRS is replaced by the number of steps.
(module
  (memory (export "memory") 2)
  (global $free_list (mut i32) (i32.const 0))
  (global $next_block (mut i32) (i32.const 4096))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (local $block i32)
    (if (result i32) (local.tee $block (global.get $free_list))
      (then
        (global.set $free_list (i32.load (local.get $block)))
        (local.get $block))
      (else
        (global.get $next_block)
        (global.set $next_block (i32.add (global.get $next_block) (i32.const 256))))))
  (func $free (export "free") (param $block i32)
    (if (local.get $block)
      (then
        (i32.store (local.get $block) (global.get $free_list))
        (global.set $free_list (local.get $block)))))
  (func (export "_start")
    (local $step i32) (local $slot i32) (local $random i32)
    (loop $again
      (local.set $random
        (i32.add (i32.mul (local.get $random) (i32.const 1664525)) (i32.const 1013904223)))
      (local.set $slot
        (i32.add (i32.const 1024)
          (i32.and (i32.shr_u (local.get $random) (i32.const 14)) (i32.const 1020))))
      (call $free (i32.load (local.get $slot)))
      (i32.store (local.get $slot)
        (call $malloc (i32.and (i32.shr_u (local.get $random) (i32.const 24)) (i32.const 255))))
      (br_if $again
        (i32.lt_u
          (local.tee $step (i32.add (local.get $step) (i32.const 1)))
          (i32.const PAIRS))))))
