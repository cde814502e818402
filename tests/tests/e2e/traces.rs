//! Traces: a plan is one trace, through the watchdogs that led and the agents that acted.

use serde_json::{Value, json};
use watchdog_tests::collector::{Collector, Span};
use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::{admin, http, wait_for};

/// A cluster whose processes send their spans to a collector.
fn traced(collector: &Collector) -> Story {
    let mut setup = Backend::Embedded.setup().unwrap();
    setup.environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".into(), collector.url()));
    Story::on(&setup).unwrap()
}

/// Waits until a plan is told of whose trace `fits`, as a whole.
fn until(what: &str, collector: &Collector, fits: impl Fn(&Trace) -> bool) -> Trace {
    let found = wait_for(what, PATIENCE, || {
        let spans = collector.spans();
        let roots = spans.iter().filter(|span| span.name == "plan");
        let trace = |root: &Span| {
            let of = spans.iter().filter(|span| span.trace == root.trace && span.id != root.id);
            Trace { root: root.clone(), rest: of.cloned().collect() }
        };
        roots.map(trace).find(|trace| fits(trace))
    });
    found.unwrap_or_else(|error| panic!("{error}; there came {:#?}", collector.spans()))
}

struct Trace {
    root: Span,
    rest: Vec<Span>,
}

impl Trace {
    /// The spans of a service that do this act.
    fn acts<'a>(&'a self, service: &'a str, act: &'a str) -> impl Iterator<Item = &'a Span> {
        let does = move |span: &&Span| {
            span.service == service
                && span.attributes.get("act").is_some_and(|it| it.eq_ignore_ascii_case(act))
        };
        self.rest.iter().filter(does)
    }

    /// That an earlier leader's steps were settled by this service.
    fn seal(&self, service: &str) -> Option<&Span> {
        self.rest.iter().find(|span| span.name == "seal" && span.service == service)
    }

    /// That an agent's order hangs under the leader's step, and that under the plan.
    fn hangs_together(&self, service: &str, act: &str) {
        let step = self.acts("watchdog", act).next().unwrap();
        let order = self.acts(service, act).next().unwrap();
        assert_eq!((step.name.as_str(), order.name.as_str()), ("step", "order"));
        assert_eq!(step.parent, self.root.id, "{step:?}");
        assert_eq!(order.parent, step.id, "{order:?}");
        assert!(self.root.parent.is_empty(), "{:?}", self.root);
    }
}

#[test]
fn a_plan_is_one_trace_through_watchdog_host_agent_and_replica() {
    let collector = Collector::start().unwrap();
    let story = traced(&collector);
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    let heir = story.until_replaced(&dead).unwrap();
    let start = until("the trace of the start", &collector, |trace| {
        let ended = trace.root.attributes.get("status").is_some_and(|status| status == "done");
        let is_ours = trace.root.attributes["reason"].contains("demo-b");
        let acts = trace.acts("watchdog", "start").count() + trace.acts("replica-agent", "start").count();
        ended && is_ours && acts == 2
    });
    start.hangs_together("replica-agent", "start");
    assert_eq!(start.root.attributes["cluster"], "demo");

    let (status, body) = http::ask("POST", &heir.address, "/debug/drift", PATIENCE).unwrap();
    assert_eq!(status, 200, "{body}");
    let load = until("the trace of the load", &collector, |trace| {
        trace.acts("scoring-server", "load").next().is_some()
            && trace.acts("watchdog", "load").next().is_some()
    });
    load.hangs_together("scoring-server", "load");
    assert_ne!(load.root.trace, start.root.trace);
}

#[test]
fn another_leader_goes_on_with_the_trace_of_the_one_that_died() {
    let collector = Collector::start().unwrap();
    let story = traced(&collector);
    let (leader, epoch) = story.leader().unwrap();
    let (leader_pid, agent) = (story.pid(&leader).unwrap(), story.pid("h2").unwrap());
    let mut spec = admin::value(&story.dev, "replica/demo-b").unwrap();
    spec["hosts"] = json!(["h2"]);
    let since = story.now().unwrap();
    // The order reaches an agent that can't answer before its leader is dead.
    story.freeze(&[agent]).unwrap();
    admin::append(&story.dev, &[("replica/demo-d", Some(spec))]).unwrap();
    let ordered = |event: &Value| event["kind"] == "step_intended" && event["replica"] == "demo-d";
    story.until_event("an order to the frozen agent", since, ordered).unwrap();
    story.dev.kill9(leader_pid).unwrap();
    story.thaw(&[agent]).unwrap();
    let newer = |status: &Value| (status["leader"]["epoch"].as_u64()? > epoch).then_some(());
    story.until("another leader", newer).unwrap();
    story.until_all_healthy().unwrap();

    let trace = until("the trace that two leaders had a part in", &collector, |trace| {
        let is_superseded = trace.root.attributes.get("status").is_some_and(|status| status == "superseded");
        is_superseded && ["watchdog", "replica-agent"].iter().all(|service| trace.seal(service).is_some())
    });
    let (asked, answered) = (trace.seal("watchdog").unwrap(), trace.seal("replica-agent").unwrap());
    assert_eq!(trace.root.attributes["epoch"], epoch.to_string(), "the plan is of the one that died");
    assert_eq!(trace.root.instance, asked.instance);
    assert_eq!((&asked.parent, &answered.parent), (&trace.root.id, &asked.id));
}

#[test]
fn a_collector_that_does_not_answer_costs_the_spans_and_nothing_else() {
    // It takes connections in, and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut setup = Backend::Embedded.setup().unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    setup.environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".into(), url));
    let story = Story::on(&setup).unwrap();
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    wait_for("the lost spans to be counted", PATIENCE, || {
        let failed = |address: &str| {
            let scrape = watchdog_tests::scrape::Scrape::of(address).ok()?;
            scrape.sum("watchdog_spans_total", &[("outcome", "failed")])
        };
        (story.dev.endpoints().split(',').filter_map(failed).sum::<f64>() > 0.0).then_some(())
    })
    .unwrap();
}
