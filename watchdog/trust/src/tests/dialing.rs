//! Dialing: to whom connections are made, and who may ask what over them.

use std::error::Error;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Host, Town, credentials};
use crate::{Cause, Clients, DialError, Dialer, Gate, Role, Servers, TlsFiles};

/// The innermost cause of a failed dial; empty for one that worked.
async fn dialed(dialer: &Dialer, url: &str) -> String {
    let Err(error) = dialer.connect(url, |endpoint| endpoint).await else { return String::new() };
    let mut cause: &dyn Error = error.as_ref();
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[tokio::test]
async fn a_server_must_be_ours_at_its_address_and_of_the_right_role() {
    let (town, abroad) = (Town::new(), Town::new());
    let ours = credentials(town.citizen("w1", Role::Watchdog), Clients::Certified);
    let (agents, watchdogs) =
        (Dialer::new(Some(ours.clone()), Servers::Agents), Dialer::new(Some(ours), Servers::Watchdogs));
    let open = async |town: &Town, name: &str, role| {
        let files = town.citizen(name, role);
        Host::open(Gate::new(Some(credentials(files, Clients::Certified)))).await
    };
    let agent = open(&town, "host-a", Role::Agent).await;
    let watchdog = open(&town, "w2", Role::Watchdog).await;
    let stranger = open(&abroad, "host-a", Role::Agent).await;
    let elsewhere = agent.url().replace("127.0.0.1", "127.0.0.2");
    let elsewhere_host = {
        let files = town.citizen("host-b", Role::Agent);
        let listener = tokio::net::TcpListener::bind(elsewhere.trim_start_matches("https://")).await.unwrap();
        let incoming = Gate::new(Some(credentials(files, Clients::Certified))).incoming(listener);
        tokio::spawn(async move { drop(futures_util::StreamExt::collect::<Vec<_>>(incoming).await) })
    };
    let table = [
        (&agents, agent.url(), ""),
        (&watchdogs, watchdog.url(), ""),
        (&agents, watchdog.url(), "the certificate of \"w2\" is not of the role agent"),
        (&watchdogs, agent.url(), "the certificate of \"host-a\" is not of the role watchdog"),
        (&agents, stranger.url(), "invalid peer certificate"),
        (&agents, elsewhere, "certificate not valid for name \"127.0.0.2\""),
    ];
    for (dialer, url, expected) in table {
        let said = dialed(dialer, &url).await;
        assert_eq!(said.is_empty(), expected.is_empty(), "{url}: {said}");
        assert!(said.contains(expected), "{url}: {said}");
    }
    elsewhere_host.abort();
}

#[tokio::test]
async fn nothing_goes_in_the_open_where_the_rest_is_encrypted() {
    let town = Town::new();
    let ours = credentials(town.citizen("w1", Role::Watchdog), Clients::Certified);
    let (with, without) = (Dialer::new(Some(ours), Servers::Agents), Dialer::new(None, Servers::Agents));
    let refused =
        |dialer: &Dialer, url: &str| dialer.channel(url, |endpoint| endpoint).map(drop).unwrap_err();
    let (http, https) = ("http://127.0.0.1:1", "https://127.0.0.1:1");
    assert_eq!(refused(&with, http), DialError::Unencrypted { url: http.into() });
    assert_eq!(refused(&without, https), DialError::NoAuthority { url: https.into() });
    for bad in ["", "127.0.0.1:1", "ftp://a", "https://", "https://a b"] {
        assert_eq!(refused(&with, bad), DialError::BadUrl { url: bad.into() }, "{bad}");
    }
}

#[tokio::test]
async fn orders_come_from_watchdogs_only() {
    let town = Town::new();
    let own = credentials(town.citizen("host-a", Role::Agent), Clients::Anybody);
    let host = Host::open(Gate::new(Some(own))).await;
    let mut refused = 0;
    let nobody = TlsFiles { ca: town.path("ca.pem"), identity: None };
    let people = Role::ALL.into_iter().map(|role| (Some(role), town.citizen(role.word(), role)));
    for (role, files) in people.chain([(None, nobody)]) {
        let dialer = Dialer::new(Some(credentials(files, Clients::Certified)), Servers::Agents);
        let channel = dialer.channel(&host.url(), |endpoint| endpoint).unwrap();
        let mut client = HealthClient::new(channel);
        let orders =
            client.check(HealthCheckRequest::default()).await.map(drop).map_err(|status| status.code());
        let looks =
            client.watch(HealthCheckRequest::default()).await.map(drop).map_err(|status| status.code());
        let expected = |may| if may { Ok(()) } else { Err(Code::PermissionDenied) };
        let (may_order, may_look) =
            (role == Some(Role::Watchdog), matches!(role, Some(Role::Watchdog | Role::Agent)));
        assert_eq!((orders, looks), (expected(may_order), expected(may_look)), "{role:?}");
        refused += u64::from(!may_order) + u64::from(!may_look);
    }
    assert_eq!(host.refused(Cause::WrongRole), refused);
}
