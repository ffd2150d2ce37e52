//! The recorder for Node is in the program, as one file: a change of it is a change of the program.

mod bundle;

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=recorder");
    println!("cargo:rerun-if-changed=build");
    let out = env::var_os("OUT_DIR").expect("cargo names it");
    match bundle::bundle(Path::new("recorder"), "node.js") {
        Ok(script) => {
            fs::write(Path::new(&out).join("preload.cjs"), script).expect("it can be written")
        }
        Err(reason) => panic!("{reason}"),
    }
}
