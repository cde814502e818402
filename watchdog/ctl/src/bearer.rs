//! Bearer: the token that goes along with every question, so that a watchdog knows who asks; it is shown nowhere.

use std::path::Path;

use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::{Request, Status};
use watchdog_trust::Token;

use crate::failure::Failure;

/// The environment variable that may hold a token.
pub(crate) const VARIABLE: &str = "WATCHDOG_TOKEN";
/// A file with more is no token.
const FILE_BYTES_MAX: u64 = 4_096;

/// See the module. Without one nothing is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bearer(Option<Token>);

impl Bearer {
    /// The token of `file`, or else of the environment.
    ///
    /// # Errors
    ///
    /// When there is something that is no token; it is not repeated.
    pub(crate) fn find(file: Option<&Path>) -> Result<Self, Failure> {
        if let Some(file) = file {
            return of_file(file).map(|token| Self(Some(token)));
        }
        let given = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let Some(given) = given else { return Ok(Self(None)) };
        let token = given.to_str().and_then(|text| text.trim().parse().ok());
        let token =
            token.ok_or_else(|| Failure::Usage(format!("{VARIABLE}: {}", watchdog_trust::NoToken)))?;
        Ok(Self(Some(token)))
    }
}

fn of_file(file: &Path) -> Result<Token, Failure> {
    let wrong = |what: &dyn std::fmt::Display| Failure::Usage(format!("{}: {what}", file.display()));
    let bytes = std::fs::metadata(file).map_err(|error| wrong(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(&watchdog_trust::NoToken));
    }
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    text.trim().parse().map_err(|error: watchdog_trust::NoToken| wrong(&error))
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0
            && let Ok(mut value) = MetadataValue::try_from(format!("Bearer {}", token.reveal()))
        {
            // Neither in a log nor in the table that compresses headers.
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_token_goes_along_and_is_shown_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let token = Token::fresh().unwrap();
        std::fs::write(&file, format!("{}\n", token.reveal())).unwrap();
        let mut bearer = Bearer::find(Some(&file)).unwrap();
        let sent = bearer.call(Request::new(())).unwrap();
        let value = sent.metadata().get("authorization").unwrap();
        assert_eq!(value.to_str().unwrap(), format!("Bearer {}", token.reveal()));
        let shown = format!("{bearer:?} {sent:?}");
        assert!(!shown.contains(&token.reveal()[4..]), "{shown}");

        let none = Bearer::default().call(Request::new(())).unwrap();
        assert!(none.metadata().get("authorization").is_none());
    }

    #[test]
    fn what_is_no_token_is_told_and_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        for text in ["", "hunter2", "wdt_hunter2", &"hunter2".repeat(1_000)] {
            std::fs::write(&file, text).unwrap();
            let said = Bearer::find(Some(&file)).unwrap_err().to_string();
            assert!(said.contains("token: this is not a token") && !said.contains("hunter2"), "{said}");
        }
        let missing = Bearer::find(Some(&directory.path().join("none"))).unwrap_err();
        assert!(missing.to_string().contains("none: No such file"), "{missing}");
        assert_eq!(missing.exit_code(), 2);
    }
}
