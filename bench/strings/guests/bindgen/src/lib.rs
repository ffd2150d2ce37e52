//! The same as guest.c. A function that wasm-bindgen exports cannot return a borrowed string.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

#[wasm_bindgen]
pub fn first(given: &str) -> u8 {
    given.as_bytes().first().copied().unwrap_or(0)
}

#[wasm_bindgen]
pub fn keep(given: &str) {
    TEXT.set(given.to_owned());
}

#[wasm_bindgen]
pub fn copy() -> String {
    TEXT.with_borrow(String::clone)
}
