//! The recorder's notes, as a reader should see them.

use crate::units::count;

/// How many modules are named where several have the same note.
const MOST_NAMED: usize = 2;

/// The notes, with those that say the same of several modules as one, where the first of them stands.
pub(crate) fn folded(notes: &[String]) -> Vec<String> {
    let mut folded: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for note in notes {
        let Some((name, reason)) = not_watched(note) else {
            folded.push((None, vec![note]));
            continue;
        };
        match folded.iter_mut().find(|(known, _)| *known == Some(reason)) {
            Some((_, names)) => names.push(name),
            None => folded.push((Some(reason), vec![name])),
        }
    }
    folded.into_iter().map(|(reason, parts)| text(reason, &parts)).collect()
}

fn text(reason: Option<&str>, parts: &[&str]) -> String {
    let Some(reason) = reason else { return parts.concat() };
    let named = parts.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    match parts.len() {
        1 => format!("module {named} is not watched: {reason}"),
        n if n <= MOST_NAMED => format!("modules {named} are not watched: {reason}"),
        n => {
            let (all, more) = (count(n as u64), count((n - MOST_NAMED) as u64));
            format!("{all} modules are not watched ({named} and {more} more): {reason}")
        }
    }
}

/// The module and the reason, where a note says that one is not watched.
fn not_watched(note: &str) -> Option<(&str, &str)> {
    note.strip_prefix("module ")?.split_once(" is not watched: ")
}

#[cfg(test)]
mod tests {
    use super::folded;
    use crate::instrument::NO_MEMORY;
    use crate::report::tells_of_unwatched;

    fn lines(notes: &[&str]) -> Vec<String> {
        folded(&notes.iter().map(|note| (*note).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn modules_that_are_not_watched_for_the_same_reason_are_one_line() {
        let one = "module a.wasm is not watched: it is too large";
        assert_eq!(lines(&[one]), [one]);
        assert!(tells_of_unwatched(one));
        assert!(!tells_of_unwatched(&format!("module a.wasm is not watched: {NO_MEMORY}")));
        let (two, three) = (one.replace("a.", "b."), one.replace("a.", "c."));
        let other = "module d.wasm is not watched: it is damaged";
        assert_eq!(
            lines(&[one, "something else", &two, &three, other, "something else"]),
            [
                "3 modules are not watched (a.wasm, b.wasm and 1 more): it is too large",
                "something else",
                other,
                "something else",
            ]
        );
        assert_eq!(
            lines(&[one, &two]),
            ["modules a.wasm, b.wasm are not watched: it is too large"]
        );
        let folded = lines(&[one, "something else", &two, other]);
        let told = folded.iter().filter(|note| tells_of_unwatched(note));
        assert_eq!(told.collect::<Vec<_>>(), [&folded[0], &folded[2]]);
        assert!(tells_of_unwatched(&lines(&[one, &two, &three])[0]));
    }
}
