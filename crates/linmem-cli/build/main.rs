//! The recorder for Node is in the program, as one file and one that starts it: a change of it is a change of the program.

mod bundle;

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=recorder");
    println!("cargo:rerun-if-changed=build");
    let out = env::var_os("OUT_DIR").expect("cargo names it");
    for (entry, file) in [("node.js", "recorder.cjs"), ("node/start.js", "preload.cjs")] {
        match bundle::bundle(Path::new("recorder"), entry) {
            Ok(script) => fs::write(Path::new(&out).join(file), script).expect("it can be written"),
            Err(reason) => panic!("{reason}"),
        }
    }
}
