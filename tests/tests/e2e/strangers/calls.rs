//! Calls: every call that our services know, by every bad identity; the list of calls is the descriptors' own.

use std::path::Path;
use std::time::Duration;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use watchdog_tests::story::{Backend, PATIENCE};
use watchdog_tests::visitor::Visitor;
use watchdog_trust::Role;
use watchdog_trust::mint::Authority;

use super::{Place, authority, citizen, dated, encrypted, places, until_told};

/// How one comes who should not.
enum Coming {
    /// With this certificate, or none.
    Encrypted(Visitor),
    /// Without TLS.
    Plain,
}

/// A bad identity, and where it is one.
struct Stranger {
    who: &'static str,
    coming: Coming,
    /// Turned away already by the handshake, and counted as this.
    cause: Option<&'static str>,
    /// To whom it is a stranger: everybody, or only agents.
    to: To,
}

#[derive(PartialEq, Eq)]
enum To {
    Everybody,
    Agents,
}

/// The paths of all calls of one service.
fn calls(service: &str) -> Vec<String> {
    let descriptors = FileDescriptorSet::decode(watchdog_proto::DESCRIPTORS).unwrap();
    let mut paths = Vec::new();
    for file in descriptors.file {
        for found in file.service.iter().filter(|found| found.name() == service) {
            let path = |method: &str| format!("/{}.{service}/{method}", file.package());
            paths.extend(found.method.iter().map(|method| path(method.name())));
        }
    }
    assert!(paths.len() >= 3, "{service}: {paths:?}");
    paths
}

/// Everybody who should get nothing.
fn strangers(directory: &Path, authority: &Authority, foreign: &Path) -> Vec<Stranger> {
    let abroad = Authority::make("foreign authority", super::DAY).unwrap();
    let mut stranger = citizen(foreign, &abroad, ("w1", Some(Role::Watchdog)));
    stranger.ca = directory.join("ca.pem");
    let old = Visitor { is_old: true, ..Visitor::citizen(directory, "w1") };
    let expired = dated(directory, authority, ("expired", -2, -1));
    let early = dated(directory, authority, ("early", 1, 2));
    let refused = |who, visitor, cause| Stranger {
        who,
        coming: Coming::Encrypted(visitor),
        cause: Some(cause),
        to: To::Everybody,
    };
    let mut all = vec![
        Stranger { who: "plain HTTP/2", coming: Coming::Plain, cause: Some("not_tls"), to: To::Everybody },
        refused("an unknown authority", stranger, "unknown_authority"),
        refused("an expired certificate", expired, "expired"),
        refused("a certificate of tomorrow", early, "expired"),
        refused("TLS 1.2", old, "old_protocol"),
        Stranger {
            who: "no certificate",
            coming: Coming::Encrypted(Visitor::nobody(directory)),
            cause: Some("no_certificate"),
            to: To::Everybody,
        },
    ];
    let roles = Role::ALL.into_iter().filter(|role| *role != Role::Watchdog).map(Some);
    for role in roles.chain([None]) {
        let name = role.map_or("roleless", Role::word);
        let coming = Coming::Encrypted(citizen(directory, authority, (&format!("some-{name}"), role)));
        // People and machines may read at the watchdog, by their roles; that each may no more has a test of its own.
        let to = if role.is_none() { To::Everybody } else { To::Agents };
        all.push(Stranger { who: name, coming, cause: None, to });
    }
    all
}

/// Asks with an empty message, and answers what came: an error of the connection is an answer, too.
async fn ask(channel: &Channel, path: &str) -> Result<(), Status> {
    let mut client = Grpc::new(channel.clone());
    let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    client.ready().await.map_err(unavailable)?;
    let codec = ProstCodec::<(), ()>::default();
    let path = path.parse().unwrap();
    let asked = client.server_streaming(Request::new(()), path, codec);
    let late = |_| Status::deadline_exceeded("no answer");
    let mut replies = tokio::time::timeout(PATIENCE, asked).await.map_err(late)??.into_inner();
    let first = tokio::time::timeout(Duration::from_millis(200), replies.message()).await;
    // A stream that has nothing to tell yet was let in, all the same.
    first.map_or(Ok(()), |message| message.map(drop))
}

async fn connect(coming: &Coming, url: &str) -> anyhow::Result<Channel> {
    match coming {
        Coming::Encrypted(visitor) => visitor.connect(url).await,
        Coming::Plain => Ok(Endpoint::from_shared(url.replace("https:", "http:"))?.connect().await?),
    }
}

impl Stranger {
    /// What the handshake there counts it as. The watchdog lets people in without a certificate, and asks for a token.
    fn cause_at(&self, place: &Place) -> Option<&'static str> {
        self.cause.filter(|cause| place.what != "watchdog" || *cause != "no_certificate")
    }
}

/// Whether what came tells the stranger that it was turned away, and nothing else.
fn is_turned_away(stranger: &Stranger, place: &Place, answer: &Result<(), Status>) -> bool {
    let Err(status) = answer else { return false };
    match stranger.cause_at(place) {
        // It heard the connection break, or that there is none.
        Some(_) => std::error::Error::source(status).is_some() || status.code() == Code::Unavailable,
        None => matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated),
    }
}

async fn refused_everywhere(stranger: &Stranger, place: &Place, paths: &[String]) {
    let channel = connect(&stranger.coming, &place.url).await;
    for path in paths {
        // The host agent looks at the replicas that it has started.
        let is_their_own =
            stranger.who == "agent" && place.what == "embedded agent" && path.ends_with("/Look");
        let answer = match &channel {
            Ok(channel) => ask(channel, path).await,
            Err(error) => Err(Status::unavailable(format!("{error:#}"))),
        };
        let fine = if is_their_own {
            answer.as_ref().is_err_and(|status| status.code() == Code::InvalidArgument)
        } else {
            is_turned_away(stranger, place, &answer)
        };
        assert!(fine, "{} at the {}: {path}: {answer:?}", stranger.who, place.what);
    }
}

pub(super) fn every_call_of_every_stranger_is_refused(backend: Backend) {
    let story = encrypted(backend);
    let before = story.healthy().unwrap();
    let (directory, authority) = authority(&story);
    let foreign = tempfile::tempdir().unwrap();
    let strangers = strangers(&directory, &authority, foreign.path());
    let places = places(&story);
    let (admin, agent) = (calls("Admin"), calls("Agent"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut refused = 0;
    runtime.block_on(async {
        for place in &places {
            let paths = if place.what == "watchdog" { &admin } else { &agent };
            for stranger in strangers.iter().filter(|it| it.to == To::Everybody || place.what != "watchdog") {
                refused_everywhere(stranger, place, paths).await;
                refused += paths.len();
                let of_role = (place.what != "watchdog").then_some("wrong_role");
                if let Some(cause) = stranger.cause_at(place).or(of_role) {
                    until_told(place, cause);
                }
            }
            // Whoever may ask gets an answer to each of them: what was wrong is the question.
            let friend = if place.what == "watchdog" { "admin" } else { "w1" };
            let friend = Coming::Encrypted(Visitor::citizen(&directory, friend));
            let channel = connect(&friend, &place.url).await.unwrap();
            for path in paths {
                let answer = ask(&channel, path).await.unwrap_err();
                let understood = matches!(
                    answer.code(),
                    Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition
                );
                assert!(understood, "{path} of the {}: {answer:?}", place.what);
            }
        }
    });
    // The scorecard reads them.
    println!("figure refused {refused}");
    println!("figure identities {}", strangers.len());
    assert_eq!(story.healthy().unwrap(), before, "nothing came of it");
}
