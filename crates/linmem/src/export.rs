//! Results as files and text: one file for each format, each writes plain data.

pub mod inspection;
pub mod json;
pub mod text;
