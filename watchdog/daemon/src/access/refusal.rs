//! Refusal: why a request is not served, in the words of gRPC, of HTTP, and of a page.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tonic::{Code, Status};
use watchdog_trust::Role;

use super::counts::Counts;
use super::table::Tongue;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody has shown who they are.
    #[error(
        "who is asking? show a certificate that our authority has signed, or a token: `watchdogctl --token-file FILE`, or the header `authorization: Bearer wdt_…`, or the page /login"
    )]
    Stranger,
    /// It is no token, or nobody's.
    #[error("this token is nobody's here; ask for a new one: `watchdogctl token new`")]
    BadToken,
    /// The session is over.
    #[error("the session is over; log in again at /login")]
    SessionOver,
    /// We know who it is, and that they may do nothing.
    #[error("{name} has no role here; somebody must give them one in the file of identities")]
    NoRole {
        /// Who.
        name: String,
    },
    /// They may do other things.
    #[error("this needs the role {needed}; {name} has the role {role}")]
    Forbidden {
        /// Who.
        name: String,
        /// What they have.
        role: Role,
        /// What it needs.
        needed: Role,
    },
    /// A page of somebody else's makes the browser ask.
    #[error("a page of another site has sent this; nothing was done")]
    CrossSite,
    /// An act that does not come from a page of ours.
    #[error(
        "an act over HTTP must come from a page of ours: it lacks {lacks}; programs show a token in the header `authorization`, or use gRPC"
    )]
    NotOurPage {
        /// Which header.
        lacks: &'static str,
    },
    /// A name that may be a stranger's.
    #[error("this watchdog is not known under that name; use its address, or localhost")]
    NotOurName,
    /// There is nothing behind it.
    #[error("there is nothing here to be asked in this way")]
    Nothing,
    /// Not in the words that are spoken here.
    #[error("this is asked in gRPC: content-type application/grpc")]
    NotGrpc,
    /// Too many acts in too short a time.
    #[error("too many orders in a short time; wait {} and ask again", humantime::format_duration(*wait))]
    Hasty {
        /// For how long.
        wait: Duration,
    },
    /// Too much is going on.
    #[error("too many {what} are open here ({max}); close some, ask another watchdog, or come back later")]
    Crowded {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// It took too long.
    #[error("this took longer than {}; if it was an order, look before giving it again", humantime::format_duration(*limit))]
    Slow {
        /// How long it may take.
        limit: Duration,
    },
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::Stranger | Self::BadToken | Self::SessionOver => Code::Unauthenticated,
            Self::NoRole { .. }
            | Self::Forbidden { .. }
            | Self::CrossSite
            | Self::NotOurPage { .. }
            | Self::NotOurName => Code::PermissionDenied,
            Self::Nothing => Code::Unimplemented,
            Self::NotGrpc => Code::InvalidArgument,
            Self::Hasty { .. } | Self::Crowded { .. } => Code::ResourceExhausted,
            Self::Slow { .. } => Code::DeadlineExceeded,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Stranger | Self::BadToken | Self::SessionOver => StatusCode::UNAUTHORIZED,
            Self::NoRole { .. }
            | Self::Forbidden { .. }
            | Self::CrossSite
            | Self::NotOurPage { .. }
            | Self::NotOurName => StatusCode::FORBIDDEN,
            Self::Nothing => StatusCode::NOT_FOUND,
            Self::NotGrpc => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Hasty { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Crowded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Where it is counted.
    pub(super) fn counted<'a>(&self, counts: &'a Counts) -> &'a AtomicU64 {
        match self {
            Self::Stranger | Self::BadToken | Self::SessionOver => &counts.strangers,
            Self::NoRole { .. } | Self::Forbidden { .. } => &counts.forbidden,
            Self::CrossSite | Self::NotOurPage { .. } | Self::NotOurName => &counts.cross_site,
            Self::Nothing | Self::NotGrpc => &counts.unknown,
            Self::Hasty { .. } => &counts.hasty,
            Self::Crowded { .. } => &counts.crowded,
            Self::Slow { .. } => &counts.slow,
        }
    }

    /// The answer.
    pub(super) fn answer(&self, tongue: Tongue) -> Response {
        let mut response = match tongue {
            // A caller that does not speak gRPC understands at least the status of HTTP.
            Tongue::Grpc if *self != Self::NotGrpc => {
                Status::new(self.code(), self.to_string()).into_http::<Body>()
            }
            Tongue::Grpc | Tongue::Http => {
                let fault = serde_json::json!({ "error": self.to_string() });
                (self.status(), Json(fault)).into_response()
            }
        };
        let headers = response.headers_mut();
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"watchdog\""));
        }
        if let Self::Hasty { wait } = self {
            // Whole seconds, as the header wants it.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        response
    }
}
