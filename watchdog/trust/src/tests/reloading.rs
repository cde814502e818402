//! Reloading: new files are taken up while connections go on; broken ones are not.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Host, Town, credentials};
use crate::mint::{Authority, Subject};
use crate::{Cause, Clients, Dialer, Gate, Role, Servers};

#[tokio::test]
async fn certificates_are_exchanged_while_connections_go_on() {
    let mut town = Town::new();
    let host_files = town.citizen("host-a", Role::Agent);
    let served = credentials(host_files.clone(), Clients::Certified);
    let host = Host::open(Gate::new(Some(served.clone()))).await;
    let ours = credentials(town.citizen("w1", Role::Watchdog), Clients::Certified);
    let dialer = Dialer::new(Some(ours.clone()), Servers::Agents);
    let url = host.url();
    let connect = || dialer.connect(&url, |endpoint| endpoint);
    let mut open = HealthClient::new(connect().await.unwrap());
    assert!(!served.refresh(), "nothing is new");

    // Another authority altogether, which is trusted beside the old one for a while.
    let before = town.authority.minted().certificate.clone();
    town.authority = Authority::make("another authority", super::DAY).unwrap();
    let both = format!("{before}{}", town.authority.minted().certificate);
    std::fs::write(town.path("ca.pem"), &both).unwrap();
    assert!(served.refresh() && ours.refresh());
    connect().await.unwrap();
    town.citizen("host-a", Role::Agent);
    town.citizen("w1", Role::Watchdog);
    assert!(served.refresh() && ours.refresh());
    assert_eq!(served.facts().unwrap().issuer, "another authority");
    connect().await.unwrap();
    std::fs::write(town.path("ca.pem"), &town.authority.minted().certificate).unwrap();
    assert!(served.refresh() && ours.refresh());
    connect().await.unwrap();
    open.check(HealthCheckRequest::default()).await.unwrap();
    let snapshot = host.counters.snapshot();
    assert_eq!((snapshot.admitted, snapshot.refused.values().sum::<u64>()), (4, 0), "{snapshot:?}");
}

#[tokio::test]
async fn broken_files_leave_the_old_certificates_in_use() {
    let town = Town::new();
    let files = town.citizen("host-a", Role::Agent);
    let served = credentials(files, Clients::Certified);
    let host = Host::open(Gate::new(Some(served.clone()))).await;
    let ours = credentials(town.citizen("w1", Role::Watchdog), Clients::Certified);
    let dialer = Dialer::new(Some(ours), Servers::Agents);
    let good = std::fs::read_to_string(town.path("host-a.pem")).unwrap();
    let hosts = ["127.0.0.1".to_owned()];
    let subject = Subject { name: "host-a", role: Some(Role::Agent), hosts: &hosts };
    let other = town.authority.issue(&subject, super::DAY).unwrap();
    // Half of a certificate, none, one of another key, and a moment in which there is no file.
    for text in [Some(&good[..100]), Some(""), Some(&other.certificate), None] {
        match text {
            Some(text) => std::fs::write(town.path("host-a.pem"), text).unwrap(),
            None => std::fs::remove_file(town.path("host-a.pem")).unwrap(),
        }
        // The second look finds it settled and says so, the third has nothing to say.
        assert!(!served.refresh() && !served.refresh() && !served.refresh());
        dialer.connect(&host.url(), |endpoint| endpoint).await.unwrap();
    }
    other.replace(&town.path("host-a.pem"), &town.path("host-a.key")).unwrap();
    assert!(served.refresh(), "and the next good ones are taken up");
    dialer.connect(&host.url(), |endpoint| endpoint).await.unwrap();
    assert_eq!(host.refused(Cause::Broken), 0);
}
