// The module that most pages run: `text` returns a block that has to be freed.

import { bytesOfText } from "../support.js";

export const GUEST = bytesOfText(`(module (memory (export "memory") 1 9) (global $next (mut i32) (i32.const 4096))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func $free (export "free") (param i32))
  (func (export "text") (result i32) (call $malloc (i32.const 100)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`);
