//! Imported functions through which a module calls itself.

/// Whether an imported function calls the module's own function of the table that its first argument names,
/// with the rest of the arguments, and keeps nothing: Emscripten's `invoke_vii`, and the like, which
/// catch exceptions.
pub(crate) fn is_trampoline(name: &str) -> bool {
    let signature = name.strip_prefix("invoke_");
    signature.is_some_and(|types| {
        !types.is_empty() && types.chars().all(|ty| matches!(ty, 'v' | 'i' | 'j' | 'f' | 'd' | 'p'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_named_by_their_types() {
        assert!(is_trampoline("invoke_viidj"));
        assert!(!is_trampoline("invoke_"));
        assert!(!is_trampoline("invoke_callback"));
    }
}
