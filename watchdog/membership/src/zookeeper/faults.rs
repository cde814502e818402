//! Faults: what each error of the client means for us; connection loss has many names there.

use zookeeper_client::Error;

use crate::tree::{Refused, TreeError};

/// An error while a session is opened.
pub(crate) fn open(error: &Error) -> TreeError {
    match error {
        Error::AuthFailed | Error::NoAuth => TreeError::Denied { path: "/".to_owned() },
        _ => TreeError::Unavailable { operation: "open a session", source: error.clone().into() },
    }
}

/// An error of something that changes nothing that matters.
pub(crate) fn read(operation: &'static str, path: &str, error: &Error) -> TreeError {
    match error {
        Error::SessionExpired | Error::ClientClosed => TreeError::Expired,
        Error::NoAuth | Error::AuthFailed => TreeError::Denied { path: path.to_owned() },
        _ => TreeError::Unavailable { operation, source: error.clone().into() },
    }
}

/// An error of a whole commit.
pub(crate) fn write(operation: &'static str, path: &str, error: &Error) -> TreeError {
    match error {
        Error::SessionExpired | Error::ClientClosed => TreeError::Expired,
        Error::NoAuth | Error::AuthFailed => TreeError::Denied { path: path.to_owned() },
        // The server said that it did nothing, or nothing was sent.
        Error::BadArguments(_)
        | Error::InvalidAcl
        | Error::MarshallingError
        | Error::NotReadOnly
        | Error::QuotaExceeded
        | Error::Throttled
        | Error::Unimplemented
        | Error::NoChildrenForEphemerals => {
            TreeError::Unavailable { operation, source: error.clone().into() }
        }
        // Lost connections come as ConnectionLoss, as Custom(reset by peer), as Custom("no response…"); what else the
        // client may come to say is treated alike.
        _ => TreeError::Unknown { operation, source: Some(error.clone().into()) },
    }
}

/// An error of one operation of a commit.
pub(crate) fn operation(index: usize, path: &str, error: &Error) -> TreeError {
    let reason = match error {
        Error::NoNode => Refused::Missing,
        Error::NodeExists => Refused::Exists,
        Error::BadVersion => Refused::BadVersion,
        Error::NotEmpty => Refused::NotEmpty,
        other => return write("commit", path, other),
    };
    TreeError::Refused { index, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_refused_denied_undone_or_of_unknown_fate() {
        let table = [
            (Error::NoNode, "refused"),
            (Error::NodeExists, "refused"),
            (Error::BadVersion, "refused"),
            (Error::NotEmpty, "refused"),
            (Error::NoAuth, "denied"),
            (Error::SessionExpired, "expired"),
            (Error::ClientClosed, "expired"),
            (Error::QuotaExceeded, "not done"),
            (Error::ConnectionLoss, "unknown"),
            (Error::Timeout, "unknown"),
            (Error::SessionMoved, "unknown"),
            (Error::UnexpectedErrorCode(-99), "unknown"),
        ];
        for (error, expected) in table {
            let found = match operation(1, "/a", &error) {
                TreeError::Refused { index: 1, .. } => "refused",
                TreeError::Refused { .. } => "refused elsewhere",
                TreeError::Denied { .. } => "denied",
                TreeError::Expired => "expired",
                TreeError::Unavailable { .. } => "not done",
                TreeError::Unknown { .. } => "unknown",
            };
            assert_eq!(found, expected, "{error:?}");
        }
    }
}
