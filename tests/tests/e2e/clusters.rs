//! Clusters: one daemon guards several, each with an election, a log and a record of its own.

use std::process::Command;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{ChangeRequest, LeaderRequest, LogAppendRequest, StatusRequest};
use watchdog_tests::story::PATIENCE;
use watchdog_tests::{Guarded, dev, http, ports, wait_for, zookeeper};

#[test]
fn one_daemon_guards_many_clusters_that_know_nothing_of_each_other() {
    let chroot = zookeeper::shared().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let address = format!("http://127.0.0.1:{}", ports::free().unwrap());
    let _daemon = start(directory.path(), &address, &chroot.url());
    for cluster in ["one", "two"] {
        let status = format!("/api/v1/{cluster}/status");
        wait_for(&format!("a leader of {cluster}"), PATIENCE, || {
            http::json(&address, &status, PATIENCE).filter(|status| status["leader"].is_object())
        })
        .unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut admin = AdminClient::connect(address.clone()).await.unwrap();
        let change = ChangeRequest { key: "setting/x".into(), value_json: Some("1".into()) };
        let append = LogAppendRequest {
            cluster: "one".into(),
            expected_head: 0,
            author: "tests".into(),
            changes: vec![change],
        };
        assert_eq!(admin.log_append(append.clone()).await.unwrap().into_inner().head, 1);
        let raced = admin.log_append(append).await.unwrap_err();
        assert_eq!(raced.code(), tonic::Code::Aborted, "{raced}");
        let head = async |cluster: &str| {
            let mut admin = admin.clone();
            admin.status(StatusRequest { cluster: cluster.into() }).await.unwrap().into_inner().head
        };
        assert_eq!((head("one").await, head("two").await), (1, 0));
        let stranger = admin.leader(LeaderRequest { cluster: "three".into() }).await.unwrap_err();
        assert!(stranger.message().contains("known: one, two"), "{stranger}");

        let mut health = HealthClient::new(channel(&address).await);
        let asked = HealthCheckRequest { service: "watchdog.admin.v1.Admin".into() };
        let serving = health.check(asked).await.unwrap().into_inner().status();
        assert_eq!(serving, ServingStatus::Serving);
        assert!(services(&address).await.contains(&"watchdog.admin.v1.Admin".to_owned()));
    });
    for (path, code) in
        [("/healthz", 200), ("/readyz", 200), ("/leader?cluster=two", 200), ("/leader?cluster=three", 503)]
    {
        assert_eq!(http::ask("GET", &address, path, PATIENCE).unwrap().0, code, "{path}");
    }
}

fn start(directory: &std::path::Path, address: &str, coordination: &str) -> Guarded {
    let config = directory.join("watchdog.toml");
    let listen = address.trim_start_matches("http://");
    let journal = directory.join("journal.db");
    let text = format!(
        "id = \"w\"\nlisten = \"{listen}\"\nclusters = [\"one\", \"two\"]\njournal = \"sqlite:{}\"\n\n[coordination]\nurl = \"{coordination}\"\n",
        journal.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(dev::program("watchdog").unwrap());
    command.arg("run").arg("--config").arg(&config);
    Guarded::spawn("watchdog run", &mut command, &directory.join("log")).unwrap()
}

async fn channel(address: &str) -> tonic::transport::Channel {
    tonic::transport::Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap()
}

/// The services that reflection tells of.
async fn services(address: &str) -> Vec<String> {
    let mut client = ServerReflectionClient::new(channel(address).await);
    let asked = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = tokio_stream::iter([asked]);
    let mut replies = client.server_reflection_info(requests).await.unwrap().into_inner();
    match replies.message().await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("no list of services: {other:?}"),
    }
}
