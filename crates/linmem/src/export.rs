//! Results as files and text: one file for each format, each writes plain data.

mod inspection;
mod json;
mod text;

pub use inspection::write as inspection;
pub use json::{read as read_json, write as json};
pub use text::{TextOptions, write as text};
