//! Guard: what every request passes before its route, and every answer after it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use watchdog_trust::{Connection, Peer, Role, same_secret};

use super::login::{self, Csrf};
use super::origin::{Site, is_addressed_to_us, site};
use super::proof::{Caller, connection};
use super::refusal::Refusal;
use super::slots::keeping;
use super::table::{Door, Kind, LOGIN, Route, Tongue, route};
use super::{Access, Counts, GRPC_DEADLINE, HTTP_DEADLINE, headers};

/// Where a page of ours sends what it was given by `/api/v1/whoami`.
pub(super) const CSRF_HEADER: &str = "x-watchdog-csrf";

/// See the module.
pub(super) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = route(&parts.method, parts.uri.path());
    let asked = Asked::of(&parts);
    let admitted = access.admit(&mut parts, route);
    let mut response = match admitted {
        Ok(kind) => {
            let served = access.serve((route, kind), Request::from_parts(parts, body), next).await;
            served.unwrap_or_else(|refusal| {
                access.note(&refusal, &asked);
                refusal.answer(route.tongue)
            })
        }
        Err(refusal) => {
            access.note(&refusal, &asked);
            if asked.wants_page && refusal.status() == StatusCode::UNAUTHORIZED {
                login::page(refusal.status(), Some(&refusal.to_string()))
            } else {
                refusal.answer(route.tongue)
            }
        }
    };
    if route.tongue == Tongue::Http {
        headers::secure(response.headers_mut());
    }
    response
}

/// What is told of a request that is refused.
struct Asked {
    from: Option<std::net::SocketAddr>,
    method: Method,
    path: String,
    /// A browser asks for something to show.
    wants_page: bool,
}

impl Asked {
    /// Paths are a stranger's words, so they are cut.
    const PATH_CHARACTERS_MAX: usize = 200;

    fn of(parts: &Parts) -> Self {
        let accepts = parts.headers.get("accept").and_then(|value| value.to_str().ok());
        Self {
            from: connection(parts).map(|connection| connection.from),
            method: parts.method.clone(),
            path: parts.uri.path().chars().take(Self::PATH_CHARACTERS_MAX).collect(),
            wants_page: parts.method == Method::GET && accepts.is_some_and(|all| all.contains("text/html")),
        }
    }
}

impl Access {
    /// Whether a request may go on to its route. Who asks is then in its extensions.
    fn admit(&self, parts: &mut Parts, route: Route) -> Result<Kind, Refusal> {
        let grpc =
            parts.headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
        let site = site(&parts.headers, &parts.uri);
        let acts = parts.method != Method::GET && parts.method != Method::HEAD;
        // Whatever it is: nobody else's page may make a browser send it.
        if acts && site == Site::Other {
            return Err(Refusal::CrossSite);
        }
        let (needed, kind) = match route.door {
            Door::Open => {
                if !acts || parts.uri.path() != LOGIN {
                    return Ok(Kind::Read);
                }
                // Who logs in must want to.
                return match site {
                    Site::Ours => Ok(Kind::Login),
                    Site::Other | Site::Unsaid => Err(Refusal::NotOurPage { lacks: "`origin`" }),
                };
            }
            Door::For(role, kind) => (role, kind),
            Door::Wall => (Role::Viewer, Kind::Read),
        };
        // Without an acceptor that tells of the connection nobody is known.
        let connection = connection(parts).ok_or(Refusal::Stranger)?;
        if self.is_off(&connection) && !is_addressed_to_us(&parts.headers, &parts.uri, self.host.as_deref()) {
            return Err(Refusal::NotOurName);
        }
        let caller = self.caller(parts, &connection)?;
        self.permit(&caller.peer, (needed, kind))?;
        if route.door == Door::Wall {
            return Err(Refusal::Nothing);
        }
        match route.tongue {
            Tongue::Grpc if !grpc => return Err(Refusal::NotGrpc),
            Tongue::Http if kind == Kind::Act => by_our_page(&caller, &parts.headers, site)?,
            Tongue::Grpc | Tongue::Http => {}
        }
        let Caller { peer, csrf } = caller;
        parts.extensions.insert(Csrf(csrf));
        parts.extensions.insert(peer);
        parts.extensions.insert::<Connection>(connection);
        Ok(kind)
    }

    /// Whether they may, and not too often.
    fn permit(&self, peer: &Peer, (needed, kind): (Role, Kind)) -> Result<(), Refusal> {
        if !peer.role.may(needed) {
            return Err(Refusal::Forbidden { name: peer.name.clone(), role: peer.role, needed });
        }
        if kind == Kind::Act {
            let wait = self.acts.take(&peer.name, Instant::now());
            wait.map_err(|wait| Refusal::Hasty { wait: to_tenths(wait) })?;
        }
        Ok(())
    }

    /// Has the route answer, in time.
    async fn serve(
        &self,
        (route, kind): (Route, Kind),
        request: Request,
        next: Next,
    ) -> Result<Response, Refusal> {
        Counts::add(&self.counts.admitted);
        // Strangers who never finish a log-in keep out each other, and nobody else.
        let slot = if kind == Kind::Login { self.slots.login()? } else { self.slots.request()? };
        let stream = if kind == Kind::Stream { Some(self.slots.stream()?) } else { None };
        let limit = match route.tongue {
            Tongue::Grpc => GRPC_DEADLINE,
            Tongue::Http => HTTP_DEADLINE,
        };
        let answered = tokio::time::timeout(limit, next.run(request)).await;
        let response = answered.map_err(|_| Refusal::Slow { limit })?;
        // Pages that go on say so themselves.
        let goes_on = response.headers().get(CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        match stream {
            Some(stream) => Ok(keeping(stream, response)),
            None if goes_on => Ok(keeping(self.slots.stream()?, response)),
            None => Ok(keeping(slot, response)),
        }
    }

    /// Counts it, and logs it unless too many have been.
    fn note(&self, refusal: &Refusal, asked: &Asked) {
        Counts::add(refusal.counted(&self.counts));
        if self.refusals.take("", Instant::now()).is_ok() {
            let Asked { from, method, path, .. } = asked;
            tracing::warn!(?from, %method, ?path, %refusal, "request refused");
        }
    }
}

/// Whether an act comes from a page of ours, where a browser would show who it is also for others.
fn by_our_page(caller: &Caller, headers: &HeaderMap, site: Site) -> Result<(), Refusal> {
    let Some(expected) = &caller.csrf else { return Ok(()) };
    if site != Site::Ours {
        return Err(Refusal::NotOurPage { lacks: "`origin`" });
    }
    let shown = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    match shown {
        Some(shown) if same_secret(expected, shown) => Ok(()),
        _ => Err(Refusal::NotOurPage { lacks: "`x-watchdog-csrf` with what /api/v1/whoami gives" }),
    }
}

/// Rounded up, for people.
fn to_tenths(wait: Duration) -> Duration {
    let tenths = wait.as_millis().div_ceil(100);
    Duration::from_millis(u64::try_from(tenths).unwrap_or(u64::MAX / 100) * 100)
}
