//! Files: what is wrong with a file is told with its name, and how to mend it.

use std::os::unix::fs::PermissionsExt as _;

use super::{DAY, Town};
use crate::credentials::sentence;
use crate::mint::Subject;
use crate::{CertificateFacts, Clients, Credentials, Role, TlsFiles};

fn said(files: TlsFiles, role: Role) -> String {
    let opened = Credentials::open(files, Some(role), Clients::Certified);
    opened.map_or_else(|error| sentence(&error), |_| String::new())
}

#[test]
fn each_mistake_is_told_with_its_file() {
    let (town, abroad) = (Town::new(), Town::new());
    let good = town.citizen("host-a", Role::Agent);
    let foreign = abroad.citizen("host-a", Role::Agent);
    assert_eq!(said(good.clone(), Role::Agent), "");
    let (ca, certificate, key) = (town.path("ca.pem"), town.path("host-a.pem"), town.path("host-a.key"));
    let (empty, half) = (town.path("empty.pem"), town.path("half.pem"));
    std::fs::write(&empty, "").unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&half, &std::fs::read_to_string(&certificate).unwrap()[..200]).unwrap();
    let nothing = town.path("nothing");
    let table = [
        (
            TlsFiles::new(&nothing, &certificate, &key),
            "cannot read the certificate authority D/nothing: No such",
        ),
        (TlsFiles::new(&ca, &nothing, &key), "cannot read the certificate D/nothing: No such"),
        (TlsFiles::new(&ca, &certificate, &nothing), "cannot read the key D/nothing: No such"),
        (
            TlsFiles::new(&ca, &empty, &key),
            "D/empty.pem holds no certificate: there is no line -----BEGIN CERT",
        ),
        (TlsFiles::new(&ca, &half, &key), "the certificate D/half.pem is not PEM: "),
        (
            TlsFiles::new(&ca, &certificate, &empty),
            "D/empty.pem holds no key: there is no line -----BEGIN PRIV",
        ),
        (
            TlsFiles::new(&ca, &certificate, town.path("ca.key")),
            "the key D/ca.key does not belong to the certificate D/host-a.pem",
        ),
        (
            TlsFiles { ca: ca.clone(), ..foreign },
            "host-a.pem would be accepted by nobody who trusts D/ca.pem; issue one from that authority",
        ),
    ];
    for (files, expected) in table {
        let said = said(files, Role::Agent).replace(&town.directory.path().display().to_string(), "D");
        assert!(said.contains(expected), "said: {said}\n not: {expected}");
    }
    let said_of_role = said(good.clone(), Role::Watchdog);
    assert!(
        said_of_role
            .contains("names \"host-a\" with the role agent; here one with the role watchdog is needed"),
        "{said_of_role}"
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = said(good.clone(), Role::Agent);
    assert!(open.contains("can be read by others (mode 644)") && open.contains("chmod 600"), "{open}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(said(good, Role::Agent), "", "a group may be let in");
}

#[test]
fn a_certificate_says_who_what_where_and_until_when() {
    let town = Town::new();
    let hosts = ["10.0.0.1".to_owned(), "w1.lan".to_owned(), "::1".to_owned()];
    let subject = Subject { name: "w1", role: Some(Role::Watchdog), hosts: &hosts };
    town.keep("w1", &town.authority.issue(&subject, DAY).unwrap());
    let facts = CertificateFacts::read(&town.path("w1.pem")).unwrap().remove(0);
    assert_eq!((facts.identity.name.as_str(), facts.identity.role), ("w1", Some(Role::Watchdog)));
    assert_eq!((facts.issuer.as_str(), facts.signs), ("test authority", false));
    assert_eq!(facts.hosts, hosts);
    let lasts = facts.not_after.duration_since(facts.not_before).unwrap();
    assert!(lasts > DAY && lasts < DAY * 2, "{lasts:?}");
    assert!(CertificateFacts::read(&town.path("ca.pem")).unwrap().remove(0).signs);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let town = Town::new();
    let minted = town.authority.minted();
    let (new, there) = (town.path("new.pem"), town.path("ca.key"));
    let error = minted.write(&new, &there).unwrap_err();
    assert!(error.to_string().contains("ca.key is there already"), "{error}");
    assert!(!new.exists());
    minted.write(&new, &town.path("new.key")).unwrap();
    let mode = std::fs::metadata(town.path("new.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
