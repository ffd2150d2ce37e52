//! The programs, each with the slowdown that it may suffer.

use anyhow::Result;

use crate::Setup;
use crate::child::Guest;

/// A guest program with arguments that keep it busy for a second or two.
pub struct Program {
    /// What the user calls it.
    pub name: &'static str,
    /// What it is, for the table.
    pub title: &'static str,
    /// Its file in `target/guests`.
    pub file: &'static str,
    /// Its arguments.
    pub args: &'static [&'static str],
    /// Guest time under observation, at most, as a multiple of guest time alone.
    pub bar: f64,
}

impl Program {
    /// The program with its arguments.
    pub fn guest(&self, setup: &Setup) -> Result<Guest> {
        Ok(Guest {
            file: setup.guest(self.file)?,
            root: setup.guest_root(),
            args: self.args.iter().map(ToString::to_string).collect(),
        })
    }
}

/// In the order of the table. Scripts are in `bench/guests`, which programs see as `/`.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "sqlite",
        title: "SQLite, 400,000 rows",
        file: "sqlite.wasm",
        args: &["400000"],
        bar: 1.2,
    },
    Program {
        name: "sqlite-small",
        title: "SQLite, 20,000 rows",
        file: "sqlite.wasm",
        args: &["20000"],
        bar: 1.2,
    },
    Program {
        name: "quickjs",
        title: "QuickJS, 600,000 objects",
        file: "qjs.wasm",
        args: &["/objects.js", "600"],
        bar: 1.2,
    },
    Program {
        name: "quickjs-noarena",
        title: "QuickJS without its arena",
        file: "qjs-noarena.wasm",
        args: &["/objects.js", "600"],
        bar: 1.5,
    },
    Program {
        name: "binary_trees",
        title: "binary_trees, depth 15",
        file: "binary_trees.wasm",
        args: &["15"],
        bar: 1.5,
    },
    Program {
        name: "hash_map",
        title: "hash_map, 15 M operations",
        file: "hash_map.wasm",
        args: &["15000"],
        bar: 1.5,
    },
    Program {
        name: "string_build",
        title: "string_build, 225,000 texts",
        file: "string_build.wasm",
        args: &["225"],
        bar: 1.5,
    },
    Program {
        name: "recursion",
        title: "recursion, 90 descents of 12 levels",
        file: "recursion.wasm",
        args: &["90"],
        bar: 2.0,
    },
];
