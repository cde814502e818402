//! Origin: whether a browser sends a request because of a page of ours, or of somebody else's.
//!
//! A browser shows cookies, certificates and its place on this machine for whoever asks it to. What it tells of who
//! that was (`Sec-Fetch-Site`, `Origin`) can't be set by a page, and neither can the name in `Host`.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// On whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// A page of ours.
    Ours,
    /// A page of somebody else's.
    Other,
    /// It does not say: no browser of these years, or one in which somebody typed our address.
    Unsaid,
}

/// On whose behalf a request with these headers, to this URI, is made.
pub(super) fn site(headers: &HeaderMap, uri: &Uri) -> Site {
    let agrees = agrees(headers, uri);
    match headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or("?")) {
        // A page that hides itself hides its origin, but not that it is the same.
        Some("same-origin") if agrees != Some(false) || is_hidden(headers) => Site::Ours,
        Some("none") if agrees.is_none() => Site::Unsaid,
        Some(_) => Site::Other,
        None => match agrees {
            None => Site::Unsaid,
            Some(true) => Site::Ours,
            Some(false) => Site::Other,
        },
    }
}

fn is_hidden(headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| origin == "null")
}

/// Whether the page's origin is where the request goes; `None` when there is none.
fn agrees(headers: &HeaderMap, uri: &Uri) -> Option<bool> {
    let origin = headers.get(ORIGIN)?;
    let page = origin.to_str().ok().and_then(|origin| {
        let (scheme, rest) = origin.split_once("://")?;
        Some(authority(rest, if scheme == "https" { 443 } else { 80 }))
    });
    let target = host(headers, uri);
    Some(match (page, target) {
        (Some(page), Some(target)) => {
            // Over TLS that ends before us, the default port is another than it looks like to us.
            page == authority(&target, 80) || page == authority(&target, 443)
        }
        _ => false,
    })
}

/// Name and port, in small letters.
fn authority(text: &str, default: u16) -> (String, u16) {
    let text = text.to_ascii_lowercase();
    match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => match port.parse() {
            Ok(port) => (name.to_owned(), port),
            Err(_) => (text, default),
        },
        _ => (text, default),
    }
}

/// To whom the request is addressed: `:authority` of HTTP/2, or `Host`.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let named = headers.get(HOST).map(|value| value.to_str().unwrap_or("?").to_owned());
    named.or_else(|| uri.authority().map(ToString::to_string))
}

/// Whether the request is addressed to this machine by an address, by `localhost`, or by our own name. Any other name
/// may be one that a stranger's DNS has pointed at us, to make a page of theirs look like ours.
pub(super) fn is_addressed_to_us(headers: &HeaderMap, uri: &Uri, ours: Option<&str>) -> bool {
    let Some(host) = host(headers, uri) else { return true };
    let (name, _) = authority(&host, 80);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || name == "localhost" || ours == Some(name.as_str())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use axum::http::HeaderName;

    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let lines =
            text.split('\n').filter(|line| !line.is_empty()).map(|line| line.split_once(": ").unwrap());
        lines.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_browser_tells_on_whose_behalf_it_asks() {
        let table = [
            ("host: w:7400", Site::Unsaid),
            ("host: w:7400\norigin: http://w:7400", Site::Ours),
            ("host: W:7400\norigin: http://w:7400", Site::Ours),
            ("host: w\norigin: https://w", Site::Ours),
            ("host: w\norigin: https://w:443", Site::Ours),
            ("host: [::1]:7400\norigin: http://[::1]:7400", Site::Ours),
            ("host: w:7400\norigin: http://w:7401", Site::Other),
            ("host: w:7400\norigin: http://evil", Site::Other),
            ("host: w:7400\norigin: null", Site::Other),
            ("origin: http://w:7400", Site::Other),
            ("host: w:7400\nsec-fetch-site: same-origin", Site::Ours),
            ("host: w:7400\nsec-fetch-site: same-origin\norigin: http://w:7400", Site::Ours),
            ("host: w:7400\nsec-fetch-site: same-origin\norigin: null", Site::Ours),
            ("host: w:7400\nsec-fetch-site: same-origin\norigin: http://evil", Site::Other),
            ("host: w:7400\nsec-fetch-site: cross-site\norigin: null", Site::Other),
            ("host: w:7400\nsec-fetch-site: same-site\norigin: http://w:7400", Site::Other),
            ("host: w:7400\nsec-fetch-site: cross-site", Site::Other),
            ("host: w:7400\nsec-fetch-site: none", Site::Unsaid),
            ("host: w:7400\nsec-fetch-site: é", Site::Other),
        ];
        for (text, expected) in table {
            assert_eq!(site(&headers(text), &Uri::from_static("/")), expected, "{text}");
        }
        let uri = Uri::from_static("http://w:7400/x");
        assert_eq!(site(&headers("origin: http://w:7400"), &uri), Site::Ours, "as HTTP/2 has it");
    }

    #[test]
    fn a_strangers_name_for_us_is_not_ours() {
        let table = [
            ("127.0.0.1:7400", true),
            ("[::1]:7400", true),
            ("localhost:7400", true),
            ("LOCALHOST", true),
            ("near.end:7400", true),
            ("evil.example:7400", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:7400", false),
            ("é", false),
        ];
        for (host, ours) in table {
            let headers = headers(&format!("host: {host}"));
            assert_eq!(
                is_addressed_to_us(&headers, &Uri::from_static("/"), Some("near.end")),
                ours,
                "{host}"
            );
        }
        assert!(is_addressed_to_us(&HeaderMap::new(), &Uri::from_static("/"), None));
    }
}
