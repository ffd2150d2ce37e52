;; An import whose name would clear the line that reports it.
(module
  (import "env\0a\1b[2K" "\1b[32mlinmem: no problems found" (func))
  (func (export "_start")))
