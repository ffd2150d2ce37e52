// `import "linmem/browser/auto"`, as the first import of an app: everything after it is watched, in this page or worker. It is
// the classic script, which finds its settings where the first of these has put them.

import "./auto-settings.js";
import "../../dist/browser.js";
