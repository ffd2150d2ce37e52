//! The bundle of a recorder's modules behaves as they do; what it does not understand, it refuses.

#[path = "../build/bundle.rs"]
mod bundle;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The bundle of some modules, of which the first is the entry.
fn bundle_of(modules: &[(&str, &str)]) -> Result<String, String> {
    let root = TempDir::new().unwrap();
    for (path, text) in modules {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    bundle::bundle(root.path(), modules[0].0)
}

/// What a script prints.
fn printed(script: &str) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bundle.cjs");
    fs::write(&path, script).unwrap();
    let output = Command::new("node").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn modules_run_once_in_the_order_of_their_imports() {
    let script = bundle_of(&[
        (
            "main.js",
            "import { basename } from \"node:path\";\nimport os from \"node:os\";\nimport * as fs from \"node:fs\";\n\
             import { one } from \"./first.js\";\nimport { count, Two as Second } from \"./deep/second.js\";\n\
             console.log(one, count(), new Second().name, basename(import.meta.url), typeof os.EOL, typeof fs.readSync);\n\
             console.log(builtin === undefined, Object.keys(builtin.cache).length);",
        ),
        ("first.js", "console.log(\"first\");\nexport const one = 1;"),
        (
            "deep/second.js",
            "import { one } from \"../first.js\";\nexport * from \"./third.js\";\n\
             export function count() {\n  return one + 1;\n}\n",
        ),
        (
            "deep/third.js",
            "export class Two {\n  name = \"two\";\n}\nexport async function later() {}\n",
        ),
    ]);
    assert_eq!(printed(&script.unwrap()), "first\n1 2 two bundle.cjs string function\nfalse 1\n");
}

#[test]
fn other_forms_are_refused_with_their_place() {
    let refused = |line: &str| bundle_of(&[("main.js", &format!("\n{line}")), ("a.js", "")]);
    for line in [
        "export default 5;",
        "export let changes = 5;",
        "export const { a, b } = f();",
        "export { a };",
        "import {",
        "import \"./a.js\";",
        "import a from \"./a.js\";",
        "import * as a from \"./a.js\";",
        "import { a } from \"other\";",
        "import { a } from './a.js';",
    ] {
        assert_eq!(refused(line), Err(format!("main.js:2: `{line}` is not understood")));
    }
    let cycle = [
        ("main.js", "import { a } from \"./a.js\";"),
        ("a.js", "import { m } from \"./main.js\";"),
    ];
    assert_eq!(bundle_of(&cycle), Err("main.js: it imports itself, through others".to_owned()));
    let missing = bundle::bundle(Path::new("/nowhere"), "main.js").unwrap_err();
    assert!(missing.starts_with("main.js: "), "{missing}");
}
