//! Wire: a goal as it comes from whatever program: one JSON object, in which no name is given twice.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Goal;

/// Reads a goal.
///
/// # Errors
///
/// That it is no JSON object, gives a name twice, or has a field that no goal has.
pub fn read(text: &str) -> Result<Goal, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    if !value.is_object() {
        return Err(serde_json::Error::custom("a goal is an object, {\"set\": …}"));
    }
    Goal::deserialize(value)
}

/// Reads any JSON; of two members with one name a plain reader would keep the last without a word.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} is given twice")));
            }
            object.insert(name, members.next_value_seed(Strict)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_one_object_in_which_each_name_stands_once() {
        let table = [
            (r#"{"set": {"model/m": {"a": [1, -2, 2.5, "x", null, true]}}, "restart": true}"#, None),
            ("{}", None),
            ("[]", Some("a goal is an object")),
            ("7", Some("a goal is an object")),
            (r#"{"set": {"model/m": 1, "model/m": 2}}"#, Some("\"model/m\" is given twice")),
            (r#"{"set": {"model/m": {"a": [{"b": 1, "b": 1}]}}}"#, Some("\"b\" is given twice")),
            (r#"{"restart": true, "restart": true}"#, Some("\"restart\" is given twice")),
            (r#"{"sets": {}}"#, Some("unknown field `sets`")),
            ("{} {}", Some("trailing characters")),
        ];
        for (text, fault) in table {
            match (read(text), fault) {
                (Ok(goal), None) => {
                    let plain: Goal = serde_json::from_str(text).unwrap();
                    assert_eq!(goal, plain, "{text}");
                }
                (Err(error), Some(fault)) => assert!(error.to_string().contains(fault), "{text}: {error}"),
                (found, fault) => panic!("{text}: {found:?} instead of {fault:?}"),
            }
        }
    }
}
