//! Forged: orders in the right form, with a watchdog's own certificate, that are older than what is known, or not for us.

use tonic::Code;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{ActRequest, Kill, LookRequest, Order, SealRequest, act_request};
use watchdog_tests::story::{Backend, Story};
use watchdog_tests::visitor::Visitor;

use super::{authority, encrypted, places};

/// The order to kill a replica, as a leader of that epoch would give it.
fn kill(story: &Story, instance: &str, (cluster, epoch): (&str, u64)) -> ActRequest {
    let victim = story.healthy().unwrap().into_iter().find(|replica| replica.host == "h1").unwrap();
    let plan = format!("{epoch}-900001");
    let order = Order {
        cluster: cluster.to_owned(),
        epoch,
        step: format!("{plan}-1"),
        plan,
        target: instance.to_owned(),
        timeout_ms: 2_000,
        session: String::new(),
    };
    let kill = Kill { replica: victim.name, incarnation: victim.incarnation, grace_ms: 0 };
    ActRequest { order: Some(order), act: Some(act_request::Act::Kill(kill)) }
}

#[test]
fn an_order_of_an_older_epoch_or_for_another_cluster_is_refused() {
    let story = encrypted(Backend::Embedded);
    let before = story.healthy().unwrap();
    // A second term, so that there is an older one.
    let (leader, first) = story.leader().unwrap();
    story.dev.kill9(story.pid(&leader).unwrap()).unwrap();
    let epoch = story
        .until("a new leader", |status| status["leader"]["epoch"].as_u64().filter(|epoch| *epoch > first))
        .unwrap();
    story.until_all_healthy().unwrap();
    let (directory, _) = authority(&story);
    let [_, host, _] = places(&story);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Visitor::citizen(&directory, "w1").connect(&host.url).await.unwrap();
        let mut agent = AgentClient::new(channel);
        let look = LookRequest { cluster: "demo".to_owned(), replicas: Vec::new() };
        let instance = agent.look(look).await.unwrap().into_inner().instance;
        for (cluster, epoch) in [("demo", first), ("demo", 0), ("other", epoch), ("other", epoch + 7)] {
            let refused = agent.act(kill(&story, &instance, (cluster, epoch))).await.map(drop).unwrap_err();
            let expected =
                matches!(refused.code(), Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound);
            assert!(expected, "{cluster} {epoch}: {refused:?}");
            let seal = SealRequest {
                cluster: cluster.to_owned(),
                epoch,
                target: instance.clone(),
                ..SealRequest::default()
            };
            assert!(agent.seal(seal).await.is_err(), "{cluster} {epoch}");
        }
    });
    assert_eq!(story.healthy().unwrap(), before, "nobody was killed");
}
