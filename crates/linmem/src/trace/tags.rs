//! The tags of the records, one byte each, as `docs/trace-format.md` has them.

/// Defines the tags, and the list of them with their names.
macro_rules! tags {
    ($($name:ident = $value:literal,)*) => {
        $(pub(super) const $name: u8 = $value;)*

        /// Every tag with its name, in ascending order.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, u8)] = &[$((stringify!($name), $value)),*];
    };
}

tags! {
    MODULE = 0x01,
    INSTANCE = 0x02,
    SELECT = 0x03,
    CONTEXT = 0x04,
    CLOCK = 0x05,
    LOW_MEMORY = 0x06,
    CALLED = 0x07,
    RETURNED = 0x08,
    SNAPSHOT = 0x09,
    SNAPSHOT_BYTES = 0x0a,
    EXIT = 0x0b,
    TRAP = 0x0c,
    PASSED = 0x0d,
    HANDED_OUT = 0x0e,
    MEMORY = 0x0f,
    ALLOCATED = 0x10,
    ALLOCATED_ALIGNED = 0x11,
    FREED = 0x12,
    FREED_SIZED = 0x13,
    REALLOCATING = 0x14,
    REALLOCATING_SIZED = 0x15,
    REALLOCATED = 0x16,
    GROWN = 0x17,
    GROW_FAILED = 0x18,
    HOST_STACK = 0x19,
    ENTERED = 0x1a,
    RESUMED = 0x1b,
    NOT_RETURNED = 0x1c,
    GLOBALS = 0x1d,
    THREAD = 0x1e,
    SEQUENCE = 0x1f,
    CREATED = 0x21,
    COLLECTED = 0x22,
    SIZE_READ = 0x23,
    HOST_GROWN = 0x24,
    STALE_VIEW = 0x25,
    NOTE = 0x26,
    TOOK_FUNCTION = 0x27,
    OVERWRITTEN = 0x28,
    REGISTERED = 0x29,
    UNREGISTERED = 0x2a,
    UNCAUGHT = 0x2b,
    CALLED_FROM = 0x2c,
    REFUSED = 0x2d,
    BAD_ACCESS = 0x2e,
    CHECKED = 0x2f,
    ACCESSED = 0x30,
    UNCHECKED = 0x31,
    KEPT = 0x32,
    MODULE_NUMBER = 0x33,
    MODULE_OF_PROCESS = 0x34,
    MODULE_BESIDE = 0x35,
}

#[cfg(test)]
mod tests {
    /// The document's table has every record, in the order of the tags.
    #[test]
    fn the_document_lists_the_tags() {
        let document = include_str!("../../../../docs/trace-format.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows = rows.filter_map(|row| {
            let (tag, rest) = row.split_once("` | ")?;
            Some((u8::from_str_radix(tag, 16).ok()?, rest.split(' ').next()?))
        });
        let expected: Vec<_> = super::ALL.iter().map(|&(name, tag)| (tag, name)).collect();
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}
