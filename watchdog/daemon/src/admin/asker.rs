//! Asker: who a request is from, for the record: whom its proof names, not whom it names itself.

use axum::http::Extensions;
use tonic::{Request, Status};
use watchdog_trust::{NAME_BYTES_MAX, Peer, Proof};

use super::invalid;
use super::writes::text;
use crate::cluster::operator::Asker;

/// Who asks over gRPC, and calls themselves `claimed`.
pub(crate) fn asker<T>(request: &Request<T>, claimed: &str) -> Result<Asker, Status> {
    named(request.extensions().get::<Peer>(), claimed)
}

/// The same over HTTP, where a page of ours gives no name.
pub(crate) fn asker_over_http(extensions: &Extensions) -> Result<Asker, Status> {
    let peer = extensions.get::<Peer>();
    named(peer, peer.map_or("", |peer| peer.name.as_str()))
}

fn named(peer: Option<&Peer>, claimed: &str) -> Result<Asker, Status> {
    // The guard lets nobody through without.
    let peer = peer.ok_or_else(|| Status::unauthenticated("it is not known who asks"))?;
    let claimed = text("by", claimed)?;
    if claimed.len() > NAME_BYTES_MAX {
        let what = format!("is {} bytes long; at most {NAME_BYTES_MAX} are allowed", claimed.len());
        return Err(invalid("by", &what));
    }
    let (from, proof, role) = (peer.from, peer.proof, peer.role);
    Ok(match proof {
        // Nobody proves anything, so that the name they give is the best there is.
        Proof::Loopback => Asker { name: claimed, from, proof, role, claimed: None },
        Proof::Certificate | Proof::Token => {
            let other = (claimed != peer.name).then_some(claimed);
            Asker { name: peer.name.clone(), from, proof, role, claimed: other }
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use watchdog_trust::Role;

    use super::*;

    #[test]
    fn who_is_known_is_recorded_under_that_name() {
        let from = "127.0.0.1:5".parse().unwrap();
        let table = [
            // known as | by | called | recorded as | with the other name
            ("ann", Proof::Token, "root@h", "ann", Some("root@h")),
            ("ann", Proof::Certificate, "ann", "ann", None),
            ("anybody", Proof::Loopback, "bob@h", "bob@h", None),
        ];
        for (known, proof, called, recorded, other) in table {
            let mut request = Request::new(());
            let role = Role::Operator;
            request.extensions_mut().insert(Peer { name: known.into(), role, proof, from });
            let claimed = other.map(ToOwned::to_owned);
            let expected = Asker { name: recorded.into(), from, proof, role, claimed };
            assert_eq!(asker(&request, called).unwrap(), expected, "{called}");
            for wrong in ["", " ", "a\u{1b}b", &"x".repeat(NAME_BYTES_MAX + 1)] {
                let said = asker(&request, wrong).unwrap_err();
                assert!(said.message().starts_with("by: "), "{said}");
            }
        }
        assert_eq!(asker(&Request::new(()), "x").unwrap_err().code(), tonic::Code::Unauthenticated);
    }
}
