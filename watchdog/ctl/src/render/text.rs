//! Text: words from elsewhere made fit for a terminal, and broken at its width.

use serde_json::Value;

use super::Paper;

/// The text without anything that could move the cursor or forge a line.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' | '\r' => clean.push(' '),
            character if character.is_control() => clean.extend(character.escape_default()),
            character => clean.push(character),
        }
    }
    clean.trim_end().to_owned()
}

/// How many columns the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text in exactly so many columns; what is longer ends with `…`.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let long = width(text);
    if long <= columns {
        return format!("{text}{}", " ".repeat(columns - long));
    }
    text.chars().take(columns.saturating_sub(1)).chain((columns > 0).then_some('…')).collect()
}

/// The text in lines of at most `width`; only a word that is longer than a line is cut.
pub(crate) fn wrap(text: &str, width_max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut filled = 0;
    for word in text.split(' ') {
        if !line.is_empty() && filled + 1 + width(word) > width_max {
            lines.push(std::mem::take(&mut line));
            filled = 0;
        } else if !line.is_empty() {
            line.push(' ');
            filled += 1;
        }
        for character in word.chars() {
            if filled >= width_max && filled > 0 {
                lines.push(std::mem::take(&mut line));
                filled = 0;
            }
            line.push(character);
            filled += 1;
        }
    }
    lines.push(line);
    lines
}

/// The text cut at the paper's width, on a line of its own.
pub(crate) fn clipped(text: &str, paper: &Paper) -> String {
    let text = clean(text);
    // The last column stays free: some terminals break the line there.
    match paper.width.map(|columns| columns.saturating_sub(1).max(1)) {
        Some(room) if width(&text) > room => text.chars().take(room - 1).chain("…\n".chars()).collect(),
        _ => text + "\n",
    }
}

/// A sentence with its newline, broken at the paper's width; lines after the first are indented.
pub(crate) fn paragraph(text: &str, indent: &str, paper: &Paper) -> String {
    let text = clean(text);
    let Some(room) = paper.width.map(|columns| columns.saturating_sub(width(indent)).max(20)) else {
        return format!("{text}\n");
    };
    wrap(&text, room).join(&format!("\n{indent}")) + "\n"
}

/// A heading with an indented line for each item; nothing when there are none.
pub(crate) fn list(heading: &str, items: &[String], paper: &Paper) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items = items.iter().map(|item| format!("  - {}", paragraph(item, "    ", paper)));
    format!("{heading}\n{}", items.collect::<String>())
}

/// JSON text with each line indented; what is no JSON is shown as it is.
pub(crate) fn pretty(json: &str, indent: &str) -> String {
    let text = serde_json::from_str::<Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| clean(json));
    text.lines().fold(String::new(), |lines, line| lines + indent + &clean(line) + "\n")
}

/// The text with a full stop. Its start stays as it is: often a name, which is what one types.
pub(crate) fn sentence(text: &str) -> String {
    let text = clean(text);
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("äöü äöü", 3), ["äöü", "äöü"]);
        assert_eq!(wrap("a bcdefg", 3), ["a", "bcd", "efg"]);
        assert_eq!(wrap("abc  d", 4), ["abc ", "d"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
        assert_eq!(wrap(&"x".repeat(2_000_000), 20).len(), 100_000);
    }

    #[test]
    fn a_text_is_padded_or_cut_to_its_column() {
        let table =
            [("ab", 4, "ab  "), ("abcdef", 4, "abc…"), ("äöü", 3, "äöü"), ("ab", 1, "…"), ("ab", 0, "")];
        for (text, columns, fitted) in table {
            assert_eq!(fit(text, columns), fitted, "{text} in {columns}");
        }
    }

    #[test]
    fn nothing_from_elsewhere_moves_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\t"), "a\\u{1b}[2Jb c");
    }
}
