//! Sessions: who has shown a token at the login page, and may go on without; kept in memory, and so over at a restart.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use watchdog_trust::{TokenHash, unguessable};

/// How long one lasts.
pub(super) const LASTS: Duration = Duration::from_hours(12);
/// How many there are at most; then the oldest ends.
const SESSIONS_MAX: usize = 1_000;

/// Somebody's stay.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The token that was shown: when it is no longer anybody's, the stay is over.
    pub(super) token: TokenHash,
    /// What our own pages send along, and nobody else can know.
    pub(super) csrf: String,
    ends_at: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Cookies are shared by all ports of a machine, so the name says which one.
    port: u16,
    open: Mutex<BTreeMap<String, Session>>,
}

impl Sessions {
    /// None yet.
    pub(super) fn new(port: u16) -> Self {
        Self { port, open: Mutex::default() }
    }

    /// Begins one; answers the header that makes a browser keep it.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub(super) fn begin(&self, token: TokenHash, encrypted: bool, now: Instant) -> std::io::Result<String> {
        let (id, csrf) = (unguessable()?, unguessable()?);
        let session = Session { token, csrf, ends_at: now + LASTS };
        {
            let mut open = self.lock();
            open.retain(|_, session| session.ends_at > now);
            if open.len() >= SESSIONS_MAX {
                let oldest = open.iter().min_by_key(|(_, session)| session.ends_at);
                if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                    open.remove(&oldest);
                }
            }
            open.insert(id.clone(), session);
        }
        Ok(self.cookie(&id, LASTS, encrypted))
    }

    /// The one of this request.
    pub(super) fn of(&self, headers: &HeaderMap, encrypted: bool, now: Instant) -> Option<Session> {
        let id = self.shown(headers, encrypted)?;
        self.lock().get(id).filter(|session| session.ends_at > now).cloned()
    }

    /// Ends the one of this request; answers the header that makes a browser forget it.
    pub(super) fn end(&self, headers: &HeaderMap, encrypted: bool) -> String {
        if let Some(id) = self.shown(headers, encrypted) {
            self.lock().remove(id);
        }
        self.cookie("", Duration::ZERO, encrypted)
    }

    /// Whether a request shows any, also one that is over.
    pub(super) fn is_shown(&self, headers: &HeaderMap, encrypted: bool) -> bool {
        self.shown(headers, encrypted).is_some()
    }

    fn shown<'a>(&self, headers: &'a HeaderMap, encrypted: bool) -> Option<&'a str> {
        let name = self.name(encrypted);
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, id)| id)
    }

    /// With TLS, a name that only we can have set: browsers promise that for this prefix.
    fn name(&self, encrypted: bool) -> String {
        let prefix = if encrypted { "__Host-" } else { "" };
        format!("{prefix}watchdog-session-{}", self.port)
    }

    fn cookie(&self, id: &str, lasts: Duration, encrypted: bool) -> String {
        let (name, seconds) = (self.name(encrypted), lasts.as_secs());
        let secure = if encrypted { "; Secure" } else { "" };
        format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use watchdog_trust::Token;

    use super::*;

    fn sends(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(COOKIE, format!("theme=dark; {pair}; x=1").parse().unwrap())])
    }

    #[test]
    fn a_session_lasts_until_it_ends() {
        let (sessions, now) = (Sessions::new(7400), Instant::now());
        let token = Token::fresh().unwrap().hash();
        let cookie = sessions.begin(token, false, now).unwrap();
        assert!(cookie.starts_with("watchdog-session-7400="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
        let headers = sends(&cookie);
        assert_eq!(sessions.of(&headers, false, now).unwrap().token, token);
        assert!(sessions.of(&headers, true, now).is_none(), "with TLS it has another name");
        assert!(sessions.of(&HeaderMap::new(), false, now).is_none());
        assert!(sessions.of(&headers, false, now + LASTS).is_none(), "it is over");
        let forgotten = sessions.end(&headers, false);
        assert!(forgotten.starts_with("watchdog-session-7400=; Path=/; Max-Age=0;"), "{forgotten}");
        assert!(sessions.of(&headers, false, now).is_none());

        let secure = sessions.begin(token, true, now).unwrap();
        assert!(
            secure.starts_with("__Host-watchdog-session-7400=") && secure.ends_with("; Secure"),
            "{secure}"
        );
        assert_eq!(sessions.of(&sends(&secure), true, now).unwrap().token, token);
    }

    #[test]
    fn there_are_never_too_many() {
        let (sessions, now) = (Sessions::new(1), Instant::now());
        let token = Token::fresh().unwrap().hash();
        let first = sessions.begin(token, false, now).unwrap();
        let later = now + Duration::from_secs(1);
        let others: Vec<_> =
            (0..SESSIONS_MAX).map(|_| sessions.begin(token, false, later).unwrap()).collect();
        assert!(sessions.of(&sends(&first), false, later).is_none(), "the oldest ended");
        assert!(others.iter().all(|cookie| sessions.of(&sends(cookie), false, later).is_some()));
    }
}
