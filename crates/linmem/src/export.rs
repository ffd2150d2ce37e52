//! Results as files and text: one file for each format, each writes plain data.

mod inspection;
pub mod json;
pub mod text;
