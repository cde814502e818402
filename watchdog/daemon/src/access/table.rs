//! Table: what each route asks of who comes; what stands in no row is not served.

use axum::http::Method;
use watchdog_trust::Role;

/// What a route does, as far as access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Answers what is.
    Read,
    /// Answers what is, and goes on to as it changes.
    Stream,
    /// Changes something, or orders that.
    Act,
    /// Shows who one is.
    Login,
}

/// In which words an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tongue {
    /// Statuses of gRPC.
    Grpc,
    /// Statuses of HTTP.
    Http,
}

/// Who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Everybody.
    Open,
    /// Whoever has at least this role.
    For(Role, Kind),
    /// Nobody: there is nothing behind it.
    Wall,
}

/// A route as the table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) tongue: Tongue,
    pub(super) door: Door,
}

/// The methods of our own service.
const ADMIN: [(&str, Role, Kind); 31] = [
    ("Status", Role::Viewer, Kind::Read),
    ("Why", Role::Viewer, Kind::Read),
    ("PlanList", Role::Viewer, Kind::Read),
    ("PlanShow", Role::Viewer, Kind::Read),
    ("PlanPreview", Role::Viewer, Kind::Read),
    ("PlanSnapshot", Role::Viewer, Kind::Read),
    ("PlanCancel", Role::Operator, Kind::Act),
    ("PlanApprove", Role::Approver, Kind::Act),
    ("PlanReject", Role::Approver, Kind::Act),
    ("PlanInput", Role::Viewer, Kind::Read),
    ("GoalDiff", Role::Viewer, Kind::Read),
    ("GoalApply", Role::Operator, Kind::Act),
    ("GoalList", Role::Viewer, Kind::Read),
    ("GoalShow", Role::Viewer, Kind::Read),
    ("GoalWatch", Role::Viewer, Kind::Stream),
    ("GoalWithdraw", Role::Operator, Kind::Act),
    ("GoalRestore", Role::Approver, Kind::Act),
    ("LogList", Role::Viewer, Kind::Read),
    ("LogShow", Role::Viewer, Kind::Read),
    ("LogDiff", Role::Viewer, Kind::Read),
    ("LogState", Role::Viewer, Kind::Read),
    ("LogVerify", Role::Viewer, Kind::Read),
    ("LogAppend", Role::Admin, Kind::Act),
    ("Pause", Role::Operator, Kind::Act),
    ("Resume", Role::Operator, Kind::Act),
    ("Hold", Role::Operator, Kind::Act),
    ("Release", Role::Operator, Kind::Act),
    ("StormRelease", Role::Approver, Kind::Act),
    ("Events", Role::Viewer, Kind::Stream),
    ("Leader", Role::Viewer, Kind::Read),
    ("LeaderResign", Role::Admin, Kind::Act),
];

/// Where our own methods stand.
const SERVICE: &str = "watchdog.admin.v1.Admin";

/// The methods of the standard services. They say what there is, so a stranger is not told either.
const STANDARD: [(&str, &str, Kind); 3] = [
    ("grpc.health.v1.Health", "Check", Kind::Read),
    ("grpc.health.v1.Health", "Watch", Kind::Stream),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", Kind::Stream),
];

/// Open to everybody: load balancers and supervisors ask the first three, cannot show anything, and learn no more than
/// whether we run, see and lead; at the last one people show who they are.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/leader", LOGIN];
/// Where people show their token.
pub(super) const LOGIN: &str = "/login";
/// Where they take it back.
pub(super) const LOGOUT: &str = "/logout";

/// What is done by a POST; `*` is any one segment.
const ACTS: [(&str, Role); 5] = [
    (LOGOUT, Role::Viewer),
    ("/api/v1/*/pause", Role::Operator),
    ("/api/v1/*/resume", Role::Operator),
    ("/api/v1/*/plans/*/approve", Role::Approver),
    ("/api/v1/*/plans/*/reject", Role::Approver),
];

/// The row of a request. Whoever may see anything may see every page; only acts are told apart.
pub(super) fn route(method: &Method, path: &str) -> Route {
    match grpc(path) {
        Some((service, name)) => {
            let door = if method == Method::POST { called(service, name) } else { Door::Wall };
            Route { tongue: Tongue::Grpc, door }
        }
        None => Route { tongue: Tongue::Http, door: http(method, path) },
    }
}

/// Service and method, where a path is of the form of gRPC: no page of ours stands in a directory with a dot.
fn grpc(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    service.contains('.').then_some((service, method))
}

fn called(service: &str, method: &str) -> Door {
    let ours = ADMIN.iter().filter(|_| service == SERVICE);
    let ours = ours.map(|(name, role, kind)| (*name, *role, *kind));
    let standard = STANDARD.iter().filter(|(named, ..)| *named == service);
    let standard = standard.map(|(_, name, kind)| (*name, Role::Viewer, *kind));
    let found = ours.chain(standard).find(|(name, ..)| *name == method);
    found.map_or(Door::Wall, |(_, role, kind)| Door::For(role, kind))
}

fn http(method: &Method, path: &str) -> Door {
    if method == Method::GET || method == Method::HEAD {
        return if OPEN.contains(&path) { Door::Open } else { Door::For(Role::Viewer, Kind::Read) };
    }
    if method != Method::POST {
        return Door::Wall;
    }
    if path == LOGIN {
        return Door::Open;
    }
    let row = ACTS.iter().find(|(pattern, _)| fits(pattern, path));
    row.map_or(Door::Wall, |(_, role)| Door::For(*role, Kind::Act))
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// Every method of a service that we serve, and whether its answer is a stream.
    fn described(descriptors: &[u8]) -> Vec<(String, String, bool)> {
        let set = FileDescriptorSet::decode(descriptors).unwrap();
        let mut methods = Vec::new();
        for file in &set.file {
            for service in &file.service {
                let full = format!("{}.{}", file.package(), service.name());
                methods.extend(
                    service
                        .method
                        .iter()
                        .map(|method| (full.clone(), method.name().to_owned(), method.server_streaming())),
                );
            }
        }
        methods
    }

    #[test]
    fn every_method_has_its_row_and_every_row_a_method() {
        let ours = described(watchdog_proto::DESCRIPTORS).into_iter().filter(|(full, ..)| full == SERVICE);
        let health = described(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let reflection = described(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET);
        let served: Vec<_> = ours.chain(health).chain(reflection).collect();
        let mut rows: BTreeSet<(&str, &str)> =
            STANDARD.iter().map(|(full, name, _)| (*full, *name)).collect();
        rows.extend(ADMIN.iter().map(|(name, ..)| (SERVICE, *name)));
        assert!(served.len() >= 33, "{served:?}");
        for (service, method, streams) in &served {
            assert!(rows.remove(&(service.as_str(), method.as_str())), "{service}/{method} has no row");
            let row = route(&Method::POST, &format!("/{service}/{method}"));
            let Door::For(_, kind) = row.door else { panic!("{method} is not guarded") };
            assert_eq!(kind == Kind::Stream, *streams, "{method}");
        }
        assert!(rows.is_empty(), "there are no such methods: {rows:?}");
    }

    #[test]
    fn each_route_asks_for_what_it_should() {
        use Door::{For, Open, Wall};
        use Role::{Admin, Approver, Operator, Viewer};
        let table = [
            // request | behind it
            ("GET /", For(Viewer, Kind::Read)),
            ("HEAD /", For(Viewer, Kind::Read)),
            ("GET /metrics", For(Viewer, Kind::Read)),
            ("GET /api/v1/clusters", For(Viewer, Kind::Read)),
            ("GET /style.css", For(Viewer, Kind::Read)),
            ("GET /healthz", Open),
            ("GET /healthz/", For(Viewer, Kind::Read)),
            ("POST /healthz", Wall),
            ("GET /readyz", Open),
            ("GET /leader", Open),
            ("GET /login", Open),
            ("POST /login", Open),
            ("POST /logout", For(Viewer, Kind::Act)),
            ("POST /", Wall),
            ("POST /api/v1/demo/pause", For(Operator, Kind::Act)),
            ("POST /api/v1/demo/resume", For(Operator, Kind::Act)),
            ("POST /api/v1//pause", Wall),
            ("POST /api/v1/demo/pause/", Wall),
            ("POST /api/v1/demo/plans/1-1/approve", For(Approver, Kind::Act)),
            ("POST /api/v1/demo/plans/1-1/reject", For(Approver, Kind::Act)),
            ("POST /api/v1/demo/plans/1-1/cancel", Wall),
            ("DELETE /api/v1/demo/pause", Wall),
            ("PUT /login", Wall),
            ("OPTIONS /api/v1/demo/pause", Wall),
            ("POST /watchdog.admin.v1.Admin/Pause", For(Operator, Kind::Act)),
            ("POST /watchdog.admin.v1.Admin/LeaderResign", For(Admin, Kind::Act)),
            ("GET /watchdog.admin.v1.Admin/Pause", Wall),
            ("POST /watchdog.admin.v1.Admin/pause", Wall),
            ("POST /watchdog.admin.v1.Admin/Pause/x", Wall),
            ("POST /watchdog.admin.v2.Admin/Pause", Wall),
            ("POST /watchdog.agent.v1.HostAgent/Kill", Wall),
            ("POST /grpc.health.v1.Health/Check", For(Viewer, Kind::Read)),
        ];
        for (request, expected) in table {
            let (method, path) = request.split_once(' ').unwrap();
            assert_eq!(route(&method.parse().unwrap(), path).door, expected, "{request}");
        }
    }
}
