//! Load: from a path to text, or to a sentence that says why not.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::source::Source;

/// A goal's values are 32 MiB at most; escapes and spaces may double that.
const FILE_BYTES_MAX: u64 = 24 << 20;

/// Reads `path`, or standard input when it is `-`.
///
/// # Errors
///
/// A sentence that begins with the file's name.
pub(super) fn load(path: &Path) -> Result<Source, String> {
    if path.as_os_str() == "-" {
        return source("stdin".to_owned(), io::stdin().lock());
    }
    let name = path.display().to_string();
    if path.is_dir() {
        return Err(format!("{name}: it is a directory; name a goal file, or `-` for standard input"));
    }
    match File::open(path) {
        Ok(file) => source(name, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{name}: there is no such file; `-` reads standard input"))
        }
        Err(error) => Err(format!("{name}: it can't be opened: {}", plain(&error))),
    }
}

/// Reads a text that is called `name`.
///
/// # Errors
///
/// A sentence that begins with the name.
pub(super) fn source(name: String, from: impl Read) -> Result<Source, String> {
    let mut bytes = Vec::new();
    // One byte more tells a file that is too large from one that just fits.
    if let Err(error) = from.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) {
        return Err(format!("{name}: it can't be read: {}", plain(&error)));
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let most = FILE_BYTES_MAX >> 20;
        return Err(format!(
            "{name}: it is larger than {most} MiB; put large things elsewhere as {{uri, sha256, bytes}}"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        format!("{name}:{line}: it is not UTF-8 text; save it as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(Source::new(name, text))
}

/// The system's words without its number, which helps nobody.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_no_text_says_so() {
        let said = source("goal.toml".to_owned(), &b"a = 1\nb = '\xff'\n"[..]).unwrap_err();
        assert!(said.starts_with("goal.toml:2: it is not UTF-8 text"), "{said}");
        let said = source("goal.toml".to_owned(), io::repeat(b' ')).unwrap_err();
        assert!(said.starts_with("goal.toml: it is larger than 24 MiB"), "{said}");
        assert_eq!(source("g".to_owned(), "\u{feff}a".as_bytes()).unwrap().text, "a");
    }
}
