//! How numbers and names are said in messages and reports, wherever they stand: counts, bytes, pages, and
//! text that comes from a module.

/// A number with separators, as in `131,073`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes, as in `131,073 bytes`.
pub fn bytes(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "byte" } else { "bytes" })
}

/// A number of pages, as in `2 pages`.
pub(crate) fn pages(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "page" } else { "pages" })
}

/// Text that comes from a module, with control characters (and so terminal sequences) escaped.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_bidi_control(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Characters that turn the direction of the text after them.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1 block`, `2 blocks`.
pub(crate) fn number_of(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    };
    format!("{} {plural}", count(number))
}

/// `once`, `twice`, `3 times`.
pub(crate) fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        number => format!("{} times", count(number)),
    }
}

/// Numbers in order, as in `3, 9 to 25`.
pub(crate) fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = ranges.iter().map(|&(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first} and {last}"),
        _ => format!("{first} to {last}"),
    });
    text.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_ranges() {
        assert_eq!(ranges(&[3, 9, 10, 12, 13, 14]), "3, 9 and 10, 12 to 14");
    }
}
