//! Toml tree: TOML with the place of everything in it.

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue, Error};
use toml::value::Datetime;

use super::node::{Entry, Node, Shape};
use super::source::Mistake;

/// Reads a TOML text.
///
/// # Errors
///
/// The first place where it is no TOML.
pub(super) fn tree(text: &str) -> Result<Node, Mistake> {
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { at: table.span().start, shape: table_shape(table.into_inner()) }),
        Err(error) => Err(mistake(&error, text)),
    }
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let at = value.span().start;
    let shape = match value.into_inner() {
        DeValue::String(text) => Shape::Text(text.into_owned()),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(number) => float(&number),
        DeValue::Boolean(flag) => Shape::Flag(flag),
        DeValue::Datetime(time) => Shape::Text(rfc3339(time)),
        DeValue::Array(values) => Shape::List(values.into_iter().map(node).collect()),
        DeValue::Table(table) => table_shape(table),
    };
    Node { at, shape }
}

fn table_shape(table: DeTable<'_>) -> Shape {
    let entry = |(name, value): (Spanned<std::borrow::Cow<'_, str>>, _)| Entry {
        at: name.span().start,
        name: name.into_inner().into_owned(),
        node: node(value),
    };
    Shape::Table(table.into_iter().map(entry).collect())
}

fn integer(number: &DeInteger<'_>) -> Shape {
    let (digits, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(digits, radix).map(Number::from);
    match signed.or_else(|_| u64::from_str_radix(digits, radix).map(Number::from)) {
        Ok(number) => Shape::Number(number),
        Err(_) => Shape::Odd(format!("{number} does not fit into 64 bits; write it as a text, in quotes")),
    }
}

fn float(number: &DeFloat<'_>) -> Shape {
    let written = number.as_str();
    match written.parse().ok().and_then(Number::from_f64) {
        Some(number) => Shape::Number(number),
        None => Shape::Odd(format!(
            "{written} is no number that a value can hold; leave it out, or write it as a text, in quotes"
        )),
    }
}

/// With seconds, which TOML may leave out and RFC 3339 may not.
fn rfc3339(mut time: Datetime) -> String {
    if let Some(time) = &mut time.time {
        time.second.get_or_insert(0);
    }
    time.to_string()
}

fn mistake(error: &Error, text: &str) -> Mistake {
    let span = error.span();
    let culprit = span.clone().and_then(|span| text.get(span)).unwrap_or_default();
    let what = match error.message() {
        "duplicate key" => format!("{culprit} is given twice; keep one"),
        said if said.starts_with("invalid unquoted key") && culprit == "/" => {
            "a key with '/' stands in quotes, such as [set.\"model/fraud\"]".to_owned()
        }
        said => format!("not TOML: {said}"),
    };
    Mistake { at: span.map(|span| span.start), field: String::new(), what }
}
