//! What every guest's report must say.
//!
//! The numbers are not linmem's: they follow from the sources of the guests, and were counted by
//! a shim around the allocator that was linked into them. The file is long because it is one table.

use linmem::report::Code;

use crate::support::expected::{End, Expected, Find, Left, NOTHING, Rest};

pub const GUESTS: &[Expected] = &[
    Expected {
        guest: "clean",
        source: "examples/clean.c",
        stdout: "clean\nall freed\n",
        allocations: 4,
        reallocations: 1,
        frees: 4,
        allocated_bytes: 1_572,
        at_peak: (3, 1_336),
        ..NOTHING
    },
    Expected {
        guest: "leaks",
        source: "examples/leaks.c",
        allocations: 6,
        frees: 1,
        allocated_bytes: 2_120,
        at_peak: (6, 2_120),
        left: Left::Judged {
            definite: (2, 300),
            indirect: (1, 320),
            possible: (1, 400),
            reachable: (1, 500),
            runtime: (0, 0),
        },
        findings: &[
            Find {
                code: Code::LeakDefinite,
                numbers: &[
                    ("blocks", 1),
                    ("bytes", 200),
                    ("indirect_blocks", 1),
                    ("indirect_bytes", 320),
                ],
                says: "200 bytes in 1 block lost",
                stacks: &[(
                    "allocated",
                    &[
                        "calloc",
                        "new_album: calloc(1, sizeof(struct album))",
                        "lose_album: = new_album();",
                        "main: lose_album();",
                    ],
                )],
            },
            Find {
                code: Code::LeakDefinite,
                numbers: &[
                    ("blocks", 1),
                    ("bytes", 100),
                    ("indirect_blocks", 0),
                    ("indirect_bytes", 0),
                ],
                says: "100 bytes in 1 block lost",
                stacks: &[(
                    "allocated",
                    &["malloc", "forget_message: malloc(100)", "main: forget_message();"],
                )],
            },
            Find {
                code: Code::LeakPossible,
                numbers: &[("blocks", 1), ("bytes", 400)],
                says: "400 bytes in 1 block perhaps lost",
                stacks: &[(
                    "allocated",
                    &["calloc", "open_cursor: calloc(1, 400)", "main: open_cursor();"],
                )],
            },
            Find {
                code: Code::LeakIndirect,
                numbers: &[("blocks", 1), ("bytes", 320)],
                says: "320 bytes in 1 block lost with others",
                stacks: &[(
                    "allocated",
                    &[
                        "calloc",
                        "new_photo: calloc(1, 320)",
                        "lose_album: = new_photo();",
                        "main: lose_album();",
                    ],
                )],
            },
            Find {
                code: Code::StillReachable,
                numbers: &[("blocks", 1), ("bytes", 500)],
                says: "500 bytes in 1 block still pointed to",
                stacks: &[(
                    "allocated",
                    &["calloc", "fill_cache: calloc(1, 500)", "main: fill_cache();"],
                )],
            },
        ],
        ..NOTHING
    },
    Expected {
        guest: "double_free",
        source: "examples/double_free.c",
        allocations: 1,
        frees: 1,
        allocated_bytes: 40,
        at_peak: (1, 40),
        findings: &[Find {
            code: Code::DoubleFree,
            numbers: &[("times", 1), ("block_bytes", 40), ("offset", 0)],
            says: "a block of 40 bytes was freed again",
            stacks: &[
                ("freed again", &["free", "main: free(name);"]),
                (
                    "freed before",
                    &[
                        "free",
                        "close_connection: free(connection->user);",
                        "main: close_connection(&connection);",
                    ],
                ),
                ("allocated", &["malloc", "new_name: malloc(40)", "main: new_name(\"Ada\")"]),
            ],
        }],
        ..NOTHING
    },
    Expected {
        guest: "invalid_free",
        source: "examples/invalid_free.c",
        allocations: 1,
        allocated_bytes: 64,
        at_peak: (1, 64),
        left: Left::definite(1, 64),
        findings: &[
            Find {
                code: Code::InvalidFree,
                numbers: &[("times", 1), ("block_bytes", 64), ("offset", 16)],
                says: "it points 16 bytes into a block of 64 bytes",
                stacks: &[
                    (
                        "freed",
                        &[
                            "free",
                            "trim_and_free: free(line);",
                            "main: trim_and_free(read_line());",
                        ],
                    ),
                    (
                        "allocated",
                        &["malloc", "read_line: malloc(64)", "main: trim_and_free(read_line());"],
                    ),
                ],
            },
            Find {
                code: Code::InvalidFree,
                numbers: &[("times", 1)],
                says: "was freed, which is no block",
                stacks: &[(
                    "freed",
                    &["free", "free_name: free(name);", "main: free_name(default_names[1]);"],
                )],
            },
            Find {
                code: Code::LeakDefinite,
                numbers: &[("blocks", 1), ("bytes", 64)],
                says: "64 bytes in 1 block lost",
                stacks: &[(
                    "allocated",
                    &["malloc", "read_line: malloc(64)", "main: trim_and_free(read_line());"],
                )],
            },
        ],
        ..NOTHING
    },
    Expected {
        // The block that realloc makes of a freed one is an allocation: there was none to resize.
        guest: "realloc_freed",
        source: "examples/realloc_freed.c",
        allocations: 3,
        frees: 3,
        allocated_bytes: 280,
        at_peak: (2, 240),
        findings: &[Find {
            code: Code::ReallocOfFreed,
            numbers: &[("times", 1), ("block_bytes", 40), ("offset", 0)],
            says: "a block of 40 bytes was reallocated after it had been freed",
            stacks: &[
                (
                    "reallocated",
                    &["realloc", "grow_list: realloc(list, 200)", "main: grow_list(list);"],
                ),
                ("freed before", &["free", "drop_list: free(list);", "main: drop_list(list);"]),
                ("allocated", &["calloc", "new_list: calloc(1, 40)", "main: = new_list();"]),
            ],
        }],
        ..NOTHING
    },
    Expected {
        guest: "wrong_realloc",
        source: "examples/wrong_realloc.c",
        allocations: 2,
        frees: 1,
        allocated_bytes: 240,
        at_peak: (2, 240),
        left: Left::definite(1, 40),
        findings: &[
            Find {
                code: Code::InvalidRealloc,
                numbers: &[("times", 1), ("block_bytes", 40), ("offset", 8)],
                says: "it points 8 bytes into a block of 40 bytes",
                stacks: &[
                    ("reallocated", &["realloc", "main: realloc(text, 200)"]),
                    ("allocated", &["malloc", "main: malloc(40)"]),
                ],
            },
            Find {
                code: Code::LeakDefinite,
                numbers: &[("blocks", 1), ("bytes", 40)],
                says: "40 bytes in 1 block lost",
                stacks: &[("allocated", &["malloc", "main: malloc(40)"])],
            },
        ],
        ..NOTHING
    },
    Expected {
        guest: "realloc_lost",
        source: "examples/realloc_lost.c",
        allocations: 1,
        reallocations: 4,
        frees: 1,
        allocated_bytes: 64_000 + 128_000 + 256_000 + 512_000 + 1_024_000,
        at_peak: (1, 1_024_000),
        pages: (2, 31),
        growths: 4,
        rest: Rest::Growing(5),
        ..NOTHING
    },
    Expected {
        guest: "realloc_lost",
        source: "examples/realloc_lost.c",
        max_pages: Some(4),
        // The third page has room for the second size, but not the fourth page for the third.
        allocations: 1,
        reallocations: 1,
        failed: 1,
        allocated_bytes: 64_000 + 128_000,
        at_peak: (1, 128_000),
        left: Left::definite(1, 128_000),
        pages: (2, 3),
        growths: 1,
        rest: Rest::Steady(1),
        findings: &[
            Find {
                code: Code::LeakDefinite,
                numbers: &[("blocks", 1), ("bytes", 128_000)],
                says: "128,000 bytes in 1 block lost",
                stacks: &[("allocated", &["realloc", "main: realloc(buffer, size)"])],
            },
            Find {
                code: Code::AllocationFailed,
                numbers: &[("times", 1), ("bytes", 256_000), ("pages", 3), ("live_bytes", 128_000)],
                says: "an allocation of 256,000 bytes returned NULL",
                stacks: &[("asked for", &["realloc", "main: realloc(buffer, size)"])],
            },
        ],
        ..NOTHING
    },
    Expected {
        guest: "null_ignored",
        source: "examples/null_ignored.c",
        max_pages: Some(4),
        // What was copied to address 0, read back from there.
        stdout: "hello\n",
        allocations: 6,
        frees: 6,
        failed: 10,
        allocated_bytes: 180_000,
        at_peak: (6, 180_000),
        pages: (2, 4),
        growths: 2,
        rest: Rest::Growing(5),
        findings: &[Find {
            code: Code::NullIgnored,
            numbers: &[
                ("times", 10),
                ("bytes", 30_000),
                ("pages", 4),
                ("live_bytes", 180_000),
                ("low_memory_first", 0),
                ("low_memory_last", 4),
                ("low_memory_changed", 5),
            ],
            says: "wrote through NULL: 5 bytes between 0x0 and 0x4 changed",
            stacks: &[(
                "asked for",
                &["malloc", "new_message: malloc(MESSAGE_SIZE)", "main: = new_message();"],
            )],
        }],
        ..NOTHING
    },
    Expected {
        guest: "null_handled",
        source: "examples/null_handled.c",
        max_pages: Some(4),
        stdout: "out of memory, some messages were dropped\n",
        allocations: 6,
        frees: 6,
        failed: 1,
        allocated_bytes: 180_000,
        at_peak: (6, 180_000),
        pages: (2, 4),
        growths: 2,
        rest: Rest::Growing(5),
        findings: &[Find {
            code: Code::AllocationFailed,
            numbers: &[("times", 1), ("bytes", 30_000), ("pages", 4), ("live_bytes", 180_000)],
            says: "an allocation of 30,000 bytes returned NULL",
            stacks: &[(
                "asked for",
                &["malloc", "new_message: malloc(MESSAGE_SIZE)", "main: new_message()) != NULL"],
            )],
        }],
        ..NOTHING
    },
    Expected {
        guest: "room_to_spare",
        source: "examples/room_to_spare.c",
        stdout: "memory did not grow\n",
        allocations: 40,
        frees: 40,
        allocated_bytes: 40_000,
        at_peak: (40, 40_000),
        ..NOTHING
    },
    Expected {
        guest: "steady_growth",
        source: "examples/steady_growth.c",
        allocations: 400,
        frees: 200,
        allocated_bytes: 801_600,
        at_peak: (201, 800_008),
        left: Left::definite(200, 800_000),
        pages: (2, 14),
        growths: 12,
        rest: Rest::Growing(392),
        findings: &[Find {
            code: Code::LeakDefinite,
            numbers: &[("blocks", 200), ("bytes", 800_000)],
            says: "800,000 bytes in 200 blocks lost",
            stacks: &[(
                "allocated",
                &[
                    "malloc",
                    "read_path: malloc(PATH_SIZE)",
                    "read_request: .path = read_path()",
                    "main: free_request(read_request(i))",
                ],
            )],
        }],
        ..NOTHING
    },
    Expected {
        guest: "steady_state",
        source: "examples/steady_state.c",
        allocations: 2_000,
        frees: 2_000,
        allocated_bytes: 40_000_000,
        at_peak: (10, 200_000),
        pages: (2, 5),
        growths: 3,
        rest: Rest::Steady(10),
        ..NOTHING
    },
    Expected {
        guest: "bump",
        source: "examples/bump.c",
        allocations: 1_000,
        frees: 1_000,
        allocated_bytes: 1_000_000,
        at_peak: (1, 1_000),
        pages: (2, 17),
        growths: 15,
        rest: Rest::Growing(975),
        ..NOTHING
    },
    Expected {
        guest: "overlap",
        source: "examples/overlap.c",
        allocations: 4,
        frees: 4,
        allocated_bytes: 24 + 40 + 32 + 16,
        at_peak: (4, 24 + 40 + 32 + 16),
        findings: &[
            Find {
                code: Code::Overlap,
                numbers: &[("times", 1), ("block_bytes", 24), ("offset", 16)],
                says: "the allocator handed out 40 bytes",
                stacks: &[
                    ("handed out", &["malloc", "main: malloc(40)"]),
                    ("allocated", &["malloc", "main: malloc(24)"]),
                ],
            },
            Find {
                code: Code::Overlap,
                numbers: &[("times", 1), ("block_bytes", 40), ("offset", 32)],
                says: "the allocator handed out 32 bytes",
                stacks: &[
                    ("handed out", &["malloc", "main: malloc(32)"]),
                    ("allocated", &["malloc", "main: malloc(40)"]),
                ],
            },
        ],
        ..NOTHING
    },
    Expected {
        guest: "exit_code",
        source: "examples/exit_code.c",
        end: End::Exit(3),
        allocations: 1,
        frees: 1,
        allocated_bytes: 100,
        at_peak: (1, 100),
        ..NOTHING
    },
    Expected {
        guest: "trap",
        source: "examples/trap.c",
        end: End::Trap(
            "wasm trap: wasm `unreachable` instruction executed",
            &["check_answer: if (answer != 42)", "main: check_answer(answer);"],
        ),
        allocations: 1,
        allocated_bytes: 100,
        at_peak: (1, 100),
        left: Left::NotJudged((1, 100)),
        findings: &[
            Find {
                code: Code::NotJudged,
                numbers: &[("blocks", 1), ("bytes", 100)],
                says: "the program trapped",
                stacks: &[],
            },
            Find {
                code: Code::PerhapsLost,
                numbers: &[("blocks", 1), ("bytes", 100)],
                says: "no word in the memory points to it",
                stacks: &[(
                    "allocated",
                    &["malloc", "forget_message: malloc(100)", "main: forget_message();"],
                )],
            },
        ],
        ..NOTHING
    },
    Expected {
        // 8,191 nodes with five blocks each, of which a path holds 13 at a time; and argv: three
        // pointers, and the texts `module.wasm` and `1`.
        guest: "recursion",
        source: "examples/recursion.c",
        args: &["1"],
        stdout: "2337043718\n",
        allocations: 40_955 + 2,
        frees: 40_955,
        allocated_bytes: 8_191 * 2_300 + 26,
        at_peak: (13 * 5 + 2, 13 * 2_300 + 26),
        left: Left::Judged {
            definite: (0, 0),
            indirect: (0, 0),
            possible: (0, 0),
            reachable: (0, 0),
            runtime: (2, 26),
        },
        ..NOTHING
    },
    Expected {
        guest: "valgrind_pattern",
        source: "examples/valgrind_pattern.c",
        allocations: 126,
        reallocations: 57,
        frees: 116,
        allocated_bytes: 69_588,
        at_peak: (101, 50 * 1_000 + 2_550 + 4_096),
        left: Left::Judged {
            definite: (0, 0),
            indirect: (0, 0),
            possible: (0, 0),
            reachable: (10, 5_030),
            runtime: (0, 0),
        },
        findings: &[Find {
            code: Code::StillReachable,
            numbers: &[("blocks", 10), ("bytes", 5_030)],
            says: "5,030 bytes in 10 blocks still pointed to",
            stacks: &[("allocated", &["realloc", "main: realloc(rows[i], 1000)"])],
        }],
        ..NOTHING
    },
    Expected {
        guest: "rust_leaky",
        source: "examples/rust/src/bin/leaky.rs",
        allocations: 2,
        allocated_bytes: 300,
        at_peak: (2, 300),
        left: Left::definite(2, 300),
        pages: (17, 17),
        findings: &[
            Find {
                code: Code::LeakDefinite,
                numbers: &[("blocks", 1), ("bytes", 200)],
                says: "200 bytes in 1 block lost",
                stacks: &[(
                    "allocated",
                    &[
                        "__rustc::__rust_alloc",
                        "forget_vec: Vec::with_capacity(200)",
                        "leaky::main: forget_vec();",
                    ],
                )],
            },
            Find {
                code: Code::LeakDefinite,
                numbers: &[("blocks", 1), ("bytes", 100)],
                says: "100 bytes in 1 block lost",
                stacks: &[(
                    "allocated",
                    &[
                        "__rustc::__rust_alloc",
                        "leak_box: Box::leak(Box::new([1; 100]))",
                        "leaky::main: leak_box();",
                    ],
                )],
            },
        ],
        ..NOTHING
    },
    Expected {
        // A node of the map, 8 words of which it keeps 5, and the buffer of stdout.
        guest: "rust_clean",
        source: "examples/rust/src/bin/clean.rs",
        stdout: "and: 2\nbird: 1\ncat: 1\ndog: 1\nthe: 3\n",
        allocations: 1 + 8 + 1,
        frees: 1 + 8 + 1,
        allocated_bytes: 184 + 25 + 1_024,
        at_peak: (1 + 5 + 1, 184 + 16 + 1_024),
        pages: (17, 17),
        ..NOTHING
    },
    Expected {
        guest: "rust_wrong_layout",
        source: "examples/rust/src/bin/wrong_layout.rs",
        allocations: 2,
        frees: 2,
        allocated_bytes: 164,
        at_peak: (1, 100),
        pages: (17, 17),
        findings: &[
            Find {
                code: Code::WrongSize,
                numbers: &[("times", 1), ("block_bytes", 100), ("offset", 0)],
                says: "a block of 100 bytes was given back as one of 60 bytes",
                stacks: &[
                    (
                        "given back",
                        &[
                            "__rustc::__rust_dealloc",
                            "wrong_size: dealloc(block, layout(60, 8))",
                            "wrong_layout::main: wrong_size();",
                        ],
                    ),
                    (
                        "allocated",
                        &[
                            "__rustc::__rust_alloc",
                            "wrong_size: alloc(layout(100, 8))",
                            "wrong_layout::main: wrong_size();",
                        ],
                    ),
                ],
            },
            Find {
                code: Code::WrongAlignment,
                numbers: &[("times", 1), ("block_bytes", 64), ("offset", 0)],
                says: "a block of 64 bytes with alignment 16 was given back with alignment 4",
                stacks: &[
                    (
                        "given back",
                        &[
                            "__rustc::__rust_dealloc",
                            "wrong_alignment: dealloc(block, layout(64, 4))",
                            "wrong_layout::main: wrong_alignment();",
                        ],
                    ),
                    (
                        "allocated",
                        &[
                            "__rustc::__rust_alloc",
                            "wrong_alignment: alloc(layout(64, 16))",
                            "wrong_layout::main: wrong_alignment();",
                        ],
                    ),
                ],
            },
        ],
        ..NOTHING
    },
];
