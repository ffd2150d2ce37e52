//! Tables, shown as Markdown that is also readable as it stands.

use std::fmt;

/// A section's results.
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// What the numbers are, in a sentence or two.
    pub note: String,
    /// Heads of the columns; the first column is text, the others are numbers.
    pub columns: Vec<&'static str>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// Whether every bar was met.
    pub met: bool,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads: Vec<String> = self.columns.iter().map(ToString::to_string).collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&heads]).map(|row| row[column].chars().count());
                cells.max().unwrap_or(0).max(3)
            })
            .collect();
        writeln!(f, "## {}\n\n{}\n", self.title, self.note)?;
        write_row(f, &heads, &widths)?;
        write!(f, "|")?;
        for (column, width) in widths.iter().enumerate() {
            let (line, end) = ("-".repeat(width - 1), if column == 0 { "-" } else { ":" });
            write!(f, " {line}{end} |")?;
        }
        writeln!(f)?;
        self.rows.iter().try_for_each(|row| write_row(f, row, &widths))
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
    write!(f, "|")?;
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        match column {
            0 => write!(f, " {cell:width$} |")?,
            _ => write!(f, " {cell:>width$} |")?,
        }
    }
    writeln!(f)
}
