//! Orders: lets what is asked of an agent through only when it comes from a watchdog.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;

use crate::connection::Connection;
use crate::counters::{Cause, Counters};
use crate::role::Role;

/// A service whose methods are for watchdogs.
#[derive(Debug, Clone)]
pub struct Orders<S> {
    inner: S,
    counters: Arc<Counters>,
    /// Methods that somebody else may call too.
    also: &'static [(&'static str, Role)],
}

impl<S> Orders<S> {
    /// Lets watchdogs call every method of `inner`, and those of the given roles the given methods.
    pub fn new(inner: S, counters: Arc<Counters>, also: &'static [(&'static str, Role)]) -> Self {
        Self { inner, counters, also }
    }

    fn admit(&self, path: &str, connection: Option<&Connection>) -> Result<(), Status> {
        let Some(connection) = connection else {
            return Err(Status::permission_denied(
                "nothing is known of this connection, so it may order nothing",
            ));
        };
        if !connection.encrypted {
            return Ok(());
        }
        let method = path.rsplit('/').next().unwrap_or_default();
        let role = connection.certificate.as_ref().and_then(|certificate| certificate.role);
        let may = |role| role == Role::Watchdog || self.also.contains(&(method, role));
        if role.is_some_and(may) {
            return Ok(());
        }
        let name = connection.certificate.as_ref().map_or("nobody", |certificate| certificate.name.as_str());
        let who = format!("the certificate names {name:?} with the role {}", role.map_or("none", Role::word));
        self.counters.refuse(Cause::WrongRole, connection.from, &format!("{who}; it asked for {method}"));
        Err(Status::permission_denied(format!("{method} is for watchdogs, and {who}")))
    }
}

impl<S> Service<Request<Body>> for Orders<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.admit(request.uri().path(), request.extensions().get::<Connection>()) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

impl<S: NamedService> NamedService for Orders<S> {
    const NAME: &'static str = S::NAME;
}
