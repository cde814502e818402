//! Login: the page where a person shows a token once, and what the other pages ask about who is there.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use serde::{Deserialize, Serialize};
use watchdog_trust::{Connection, Peer, Token};

use super::table::{LOGIN, LOGOUT};
use super::{Access, Counts};

/// A token is much shorter.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// What a page of ours sends with an act, in the header `x-watchdog-csrf`; none when it needs none.
#[derive(Debug, Clone)]
pub(crate) struct Csrf(pub(crate) Option<String>);

/// The pages.
pub(super) fn router(access: Arc<Access>) -> Router {
    Router::new()
        .route(LOGIN, get(form).post(login))
        .route(LOGOUT, post(logout))
        .route("/api/v1/whoami", get(whoami))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(access)
}

/// Who is there, as the other pages are told.
#[derive(Debug, Serialize)]
struct WhoAmI {
    name: String,
    role: &'static str,
    csrf: Option<String>,
}

async fn whoami(Extension(peer): Extension<Peer>, Extension(csrf): Extension<Csrf>) -> Json<WhoAmI> {
    Json(WhoAmI { name: peer.name, role: peer.role.word(), csrf: csrf.0 })
}

/// What the form sends.
#[derive(Deserialize)]
struct Shown {
    token: String,
}

async fn form() -> Response {
    page(StatusCode::OK, None)
}

async fn login(
    State(access): State<Arc<Access>>,
    connection: Option<Extension<Connection>>,
    Form(shown): Form<Shown>,
) -> Response {
    let token: Option<Token> = shown.token.trim().parse().ok();
    let identities = access.identities.as_ref().map(watchdog_trust::IdentitiesFile::current);
    let identity = token.as_ref().and_then(|token| identities.as_ref()?.by_token(token));
    let (Some(token), Some(identity)) = (token.as_ref(), identity) else {
        Counts::add(&access.counts.strangers);
        return page(StatusCode::UNAUTHORIZED, Some("This token is nobody's here."));
    };
    if identity.role.is_none() {
        Counts::add(&access.counts.forbidden);
        return page(StatusCode::FORBIDDEN, Some("This token's owner has no role here."));
    }
    let encrypted = connection.is_some_and(|Extension(connection)| connection.encrypted);
    match access.sessions.begin(token.hash(), encrypted, Instant::now()) {
        Ok(cookie) => {
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())]).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "no randomness for a session");
            page(StatusCode::SERVICE_UNAVAILABLE, Some("The system gives no randomness now; try again."))
        }
    }
}

async fn logout(
    State(access): State<Arc<Access>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    let cookie = access.sessions.end(&headers, connection.encrypted);
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, LOGIN.to_owned())]).into_response()
}

/// The page with the form, and what went wrong before.
pub(super) fn page(status: StatusCode, fault: Option<&str>) -> Response {
    let fault = fault.map(|fault| format!("<p role=\"alert\">{}</p>\n", escaped(fault))).unwrap_or_default();
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Watchdog: log in</title>\n</head>\n<body>\n<main>\n<h1>Watchdog</h1>\n{fault}\
         <form method=\"post\" action=\"{LOGIN}\">\n\
         <p><label for=\"token\">Token</label>\n\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus></p>\n\
         <p><button type=\"submit\">Log in</button></p>\n</form>\n\
         <p>An administrator makes one with <code>watchdogctl token new</code>.</p>\n</main>\n</body>\n</html>\n"
    );
    (status, Html(text)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
