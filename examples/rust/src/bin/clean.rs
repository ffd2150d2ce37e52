//! A program that drops all it allocates.
//!
//! linmem reports: nothing leaks and nothing is misused.

use std::collections::BTreeMap;

fn count_words(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_string()).or_default() += 1;
    }
    counts
}

fn main() {
    let counts = count_words("the cat and the dog and the bird");
    for (word, count) in &counts {
        println!("{word}: {count}");
    }
}
