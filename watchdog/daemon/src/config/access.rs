//! Access: where it stands who may do what.

use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use watchdog_trust::IdentitiesFile;

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// The file of identities; without one only certificates are known.
    pub(crate) identities: Option<PathBuf>,
}

/// The table as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessTable {
    identities: Option<Spanned<PathBuf>>,
}

impl AccessTable {
    /// Reads the file too, so that a mistake in it is told before anything is started.
    pub(super) fn checked(self) -> Result<Access, (Range<usize>, String)> {
        if let Some(file) = &self.identities {
            let unusable = |error| (file.span(), format!("{:#}", anyhow::Error::new(error)));
            IdentitiesFile::open(file.get_ref()).map_err(unusable)?;
        }
        Ok(Access { identities: self.identities.map(Spanned::into_inner) })
    }
}
