//! Source: fields and variants with their doc comments, read from our own files, which rustfmt keeps regular.

/// A field of a struct, or a variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// As it is spelt in the source.
    pub(crate) name: String,
    /// The type of a field; empty for variants.
    pub(crate) kind: String,
    /// Its doc comment on one line.
    pub(crate) doc: String,
}

/// The items of `struct name` or `enum name`; nothing when the text has none of that name.
pub(crate) fn items(text: &str, name: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for line in body(text, name) {
        let Some(line) = line.strip_prefix("    ") else { continue };
        if let Some(comment) = line.strip_prefix("/// ") {
            doc.push(comment);
        } else if line == "///" {
            doc.push("");
        } else if !line.starts_with([' ', '#', '}', ')']) {
            let field =
                line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").trim_end_matches(',');
            let (name, kind) = field.split_once(": ").unwrap_or((field, ""));
            let name = name.split([' ', '(', '{']).next().unwrap_or_default();
            items.push(Item {
                name: name.to_owned(),
                kind: kind.to_owned(),
                doc: doc.join(" ").trim().to_owned(),
            });
            doc.clear();
        }
    }
    items
}

/// The lines between the braces.
fn body<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let opens = [format!("struct {name} {{"), format!("enum {name} {{")];
    let opens = move |line: &str| {
        let bare = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ");
        opens.iter().any(|open| bare == open)
    };
    text.lines().skip_while(move |line| !opens(line)).skip(1).take_while(|line| *line != "}")
}

/// `MarkStable` as serde writes it: `mark_stable`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn items_are_read_with_their_docs() {
    let text = "/// A.\npub struct Thing {\n    /// How long.\n    /// Really.\n    #[serde(default)]\n    pub wait_ms: u64,\n    pub(crate) other: Option<Vec<String>>,\n}\n\nenum Kind {\n    /// First.\n    OneWord,\n    /// Second.\n    Fields {\n        /// Inner.\n        by: String,\n    },\n    Last(u8),\n}\n";
    let item =
        |name: &str, kind: &str, doc: &str| Item { name: name.into(), kind: kind.into(), doc: doc.into() };
    assert_eq!(
        items(text, "Thing"),
        [item("wait_ms", "u64", "How long. Really."), item("other", "Option<Vec<String>>", "")]
    );
    assert_eq!(
        items(text, "Kind"),
        [item("OneWord", "", "First."), item("Fields", "", "Second."), item("Last", "", "")]
    );
    assert_eq!(items(text, "Thin"), []);
    assert_eq!(snake("MarkStable"), "mark_stable");
}
