//! Fit: an entry takes no more room than the record has for one, because nobody may delete from it.
//!
//! What there may be many of (refusals, the replicas of a plan) is bounded where it is made; here long texts are cut, as
//! those that programs say of themselves, and what was cut is counted and said.

use serde_json::Value;

use super::Body;

/// The most that an entry may take, in bytes of JSON.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// The longest text that is left as it is, in bytes, as it gets tighter. Names and hashes are shorter than the last.
const TEXTS_MAX: [usize; 3] = [4_096, 1_024, 256];

impl Body {
    /// The same, with its long texts cut where it would take more than [`ENTRY_BYTES_MAX`].
    ///
    /// What acts depend on is left whole: goals and policies, which are bounded where they are declared. So are pictures of
    /// what is to be killed, which their host agent has cut.
    #[must_use]
    pub fn fit(self) -> Self {
        let is_whole =
            matches!(self, Self::GoalDeclared { .. } | Self::GoalBegun { .. } | Self::SnapshotFiled { .. });
        if is_whole || length(&self) <= ENTRY_BYTES_MAX {
            return self;
        }
        // Plain values under text keys: neither way can fail, and an entry is worth more than its size.
        let Ok(whole) = serde_json::to_value(&self) else { return self };
        let mut fitting = self;
        for longest in TEXTS_MAX {
            let mut value = whole.clone();
            shorten(&mut value, longest);
            match serde_json::from_value(value) {
                Ok(shorter) => fitting = shorter,
                Err(_) => return fitting,
            }
            if length(&fitting) <= ENTRY_BYTES_MAX {
                return fitting;
            }
        }
        if let Self::Asked { before, after, .. } = &mut fitting {
            for value in [before, after] {
                *value = serde_json::json!({ "too_large": value.to_string().len() });
            }
        }
        fitting
    }
}

fn length(body: &Body) -> usize {
    serde_json::to_string(body).map_or(0, |text| text.len())
}

/// Cuts every text in it that is longer.
fn shorten(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) => *text = cut(text, longest),
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, longest)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shorten(field, longest)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text, or its beginning and how much was cut.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}… ({} more bytes)", &text[..end], text.len() - end)
}
