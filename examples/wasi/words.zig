//! Counts the words of a text. `leak` forgets the keys of the map.
const std = @import("std");
const gpa = std.heap.wasm_allocator;

const text = "the heap holds what the program asks the heap for and the heap keeps what the program forgets";

fn count(forget: bool) !usize {
    var words: std.StringHashMapUnmanaged(usize) = .empty;
    var it = std.mem.tokenizeScalar(u8, text, ' ');
    while (it.next()) |word| {
        const entry = try words.getOrPut(gpa, word);
        if (!entry.found_existing) {
            entry.key_ptr.* = try gpa.dupe(u8, word);
            entry.value_ptr.* = 0;
        }
        entry.value_ptr.* += 1;
    }
    const n = words.get("heap").?;
    if (!forget) {
        var keys = words.keyIterator();
        while (keys.next()) |key| gpa.free(key.*);
    }
    words.deinit(gpa);
    return n;
}

export fn work(times: usize) usize {
    var sum: usize = 0;
    for (0..times) |_| sum += count(false) catch unreachable;
    return sum;
}

export fn leak(times: usize) usize {
    var sum: usize = 0;
    for (0..times) |_| sum += count(true) catch unreachable;
    return sum;
}
