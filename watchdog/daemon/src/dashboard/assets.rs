//! Assets: the page, its style and its scripts, inside the program; nothing is loaded from elsewhere.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use watchdog_core::state::digest;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// A file of the page.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    etag: String,
}

macro_rules! assets {
    ($($name:literal $kind:ident),* $(,)?) => {
        [$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = assets![
        "index.html" HTML,
        "dashboard.css" STYLE,
        "icon.svg" PICTURE,
        "main.js" SCRIPT,
        "acts.js" SCRIPT,
        "cluster.js" SCRIPT,
        "dom.js" SCRIPT,
        "facts.js" SCRIPT,
        "feed.js" SCRIPT,
        "incident-view.js" SCRIPT,
        "incidents.js" SCRIPT,
        "log.js" SCRIPT,
        "overview.js" SCRIPT,
        "parts.js" SCRIPT,
        "plans.js" SCRIPT,
        "replicas.js" SCRIPT,
        "rollout.js" SCRIPT,
        "store.js" SCRIPT,
        "time.js" SCRIPT,
        "why.js" SCRIPT,
        "words.js" SCRIPT,
    ];
    let asset = |(name, kind, text): (&'static str, &'static str, &'static str)| {
        let etag = format!("\"{}\"", digest(&Value::String(text.to_owned())).short());
        Asset { name, kind, text, etag }
    };
    files.into_iter().map(asset).collect()
});

/// The page at `/` and what it is made of.
pub(crate) fn pages() -> Router {
    Router::new().route("/", get(async |headers: HeaderMap| serve("index.html", &headers))).route(
        "/assets/{name}",
        get(async |Path(name): Path<String>, headers: HeaderMap| serve(&name, &headers)),
    )
}

fn serve(name: &str, asked: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|tags| holds(tags, &asset.etag));
    let mut answer =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { asset.text.into_response() };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        // Asked for again each time, and answered with nothing while it is the same.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, asset.etag.as_str()),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn holds(tags: &HeaderValue, etag: &str) -> bool {
    tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_sent_again() {
        let first = serve("main.js", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], SCRIPT);
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(serve("main.js", &asked).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("index.html", &asked).status(), StatusCode::OK);
        assert_eq!(serve("../main.js", &asked).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_file_that_is_named_is_there_and_needs_nothing_from_elsewhere() {
        for asset in ASSETS.iter() {
            for foreign in [
                "https://",
                "http://",
                "src=\"//",
                "innerHTML",
                "insertAdjacentHTML",
                "eval(",
                " style=\"",
                " onclick=",
            ] {
                let allowed = foreign == "http://" && asset.text.contains("http://www.w3.org/");
                assert!(allowed || !asset.text.contains(foreign), "{} holds {foreign}", asset.name);
            }
            for line in asset.text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.split('"').nth(1).unwrap().trim_start_matches("./");
                assert!(ASSETS.iter().any(|other| other.name == from), "{} imports {from}", asset.name);
            }
        }
    }

    #[test]
    fn scripts_say_what_they_are_and_are_short() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            let first = asset.text.lines().next().unwrap();
            assert!(first.starts_with("// ") && first.contains(": "), "{} starts with {first:?}", asset.name);
            let lines = asset.text.lines().count();
            assert!(lines <= 300, "{} has {lines} lines", asset.name);
            let html = ASSETS.iter().find(|other| other.name == "index.html").unwrap();
            assert!(
                html.text.contains(&format!("/assets/{}\"", asset.name)),
                "{} is not asked for early",
                asset.name
            );
        }
    }
}
