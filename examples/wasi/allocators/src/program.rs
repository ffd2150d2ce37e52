// Reads a document with serde_json and prints it, 50 times. `leak` forgets what was read.
// `queue` also makes 0, 1, 2, … 49 boxes and drops them all.

use std::hint::black_box;

use serde_json::Value;

const DOCUMENT: &str = r#"{"name":"heap","pages":[16,17,18],"next":{"name":"stack","pages":[]}}"#;

fn read(forget: bool) -> usize {
    let value: Value = serde_json::from_str(black_box(DOCUMENT)).unwrap();
    let value = Box::new(value);
    let length = value.to_string().len();
    if forget {
        std::mem::forget(value);
    }
    length
}

fn queue(n: usize) -> usize {
    let boxes: Vec<Box<[u8; 100]>> = (0..n).map(|i| black_box(Box::new([i as u8; 100]))).collect();
    boxes.iter().map(|bytes| usize::from(bytes[7])).sum()
}

fn main() {
    let argument = std::env::args().nth(1);
    let argument = argument.as_deref().unwrap_or_default();
    let mut sum: usize = (0..50).map(|_| read(argument == "leak")).sum();
    if argument == "queue" {
        sum += (0..50).map(queue).sum::<usize>();
    }
    println!("{sum}");
}
