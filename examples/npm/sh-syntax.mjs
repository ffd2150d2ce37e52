// A shell parser in Go, compiled by TinyGo.
import { print } from "sh-syntax";

for (const text of ["if true; then\necho   1\nfi", "a   &&   b", "x=$(  date  )", "f()  { :; }", "for i in 1   2; do :; done"]) {
  console.log((await print(text)).trim());
}
