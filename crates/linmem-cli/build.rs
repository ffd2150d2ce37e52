//! The recorder for Node is in the program, so a change of it is a change of the program.

fn main() {
    println!("cargo:rerun-if-changed=recorder");
}
