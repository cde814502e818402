//! Floods: strangers who hold connections take nothing from those who use theirs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Host, PATIENCE, Town, credentials};
use crate::seats::Seats;
use crate::{Cause, Clients, Counters, Dialer, Gate, Limits, Role, Servers};

/// Asks on a fresh connection.
async fn ask(host: &Host, dialer: &Dialer) -> Duration {
    let began = Instant::now();
    let channel = dialer.connect(&host.url(), |endpoint| endpoint).await.unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    began.elapsed()
}

fn town() -> (Gate, Dialer) {
    let town = Town::new();
    let own = credentials(town.citizen("host-a", Role::Agent), Clients::Certified);
    let watchdog = credentials(town.citizen("w1", Role::Watchdog), Clients::Certified);
    (Gate::new(Some(own)), Dialer::new(Some(watchdog), Servers::Agents))
}

#[tokio::test]
async fn a_thousand_idle_connections_stop_nobody() {
    // Those of this test's own side.
    let mut files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let (gate, dialer) = town();
    let most = u64::try_from(gate.limits.unfinished).unwrap();
    let host = Host::open(gate).await;
    let alone = ask(&host, &dialer).await;
    let mut idle = Vec::new();
    for number in 0..1_000 {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        if number % 2 == 0 {
            // The beginning of a TLS record that never ends.
            stream.write_all(&[22, 3, 1]).await.unwrap();
        }
        idle.push(stream);
    }
    let among = ask(&host, &dialer).await;
    eprintln!("a question on a fresh connection: {alone:?} alone, {among:?} among 1,000 idle ones");
    assert!(among < Duration::from_secs(2), "{among:?}");
    host.until(Cause::TooMany, 1_000 - most).await;
    assert_eq!(host.counters.snapshot().admitted, 2);
}

#[tokio::test]
async fn a_slow_stranger_is_cut_off_and_counted() {
    let (gate, dialer) = town();
    let limits = Limits { patience: Duration::from_millis(300), ..gate.limits };
    let host = Host::open(Gate { limits, ..gate }).await;
    let mut silent = TcpStream::connect(host.address).await.unwrap();
    let mut slow = TcpStream::connect(host.address).await.unwrap();
    slow.write_all(&[22, 3, 1, 2]).await.unwrap();
    ask(&host, &dialer).await;
    for stream in [&mut silent, &mut slow] {
        // Its end may come as a reset, since what it said was not all read.
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    host.until(Cause::TimedOut, 2).await;
    let gone = TcpStream::connect(host.address).await.unwrap();
    drop(gone);
    ask(&host, &dialer).await;
    assert_eq!(host.counters.snapshot().refused.values().sum::<u64>(), 2, "who came and went is nobody");
}

#[tokio::test]
async fn the_most_silent_of_the_open_connections_makes_room() {
    let (gate, dialer) = town();
    let limits = Limits { open: 3, ..gate.limits };
    let host = Host::open(Gate { limits, ..gate }).await;
    let connect = async || {
        let channel = dialer.channel(&host.url(), |endpoint| endpoint).unwrap();
        let mut client = HealthClient::new(channel);
        client.check(HealthCheckRequest::default()).await.unwrap();
        client
    };
    let mut worker = connect().await;
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(connect().await);
        // Seats are ordered by milliseconds.
        tokio::time::sleep(Duration::from_millis(3)).await;
        worker.check(HealthCheckRequest::default()).await.unwrap();
    }
    let snapshot = host.counters.snapshot();
    assert_eq!(snapshot.refused[&Cause::TooMany], 8, "{snapshot:?}");
    assert_eq!(snapshot.admitted, 11, "who works was never cut off");
}

#[test]
fn the_silent_and_the_expired_are_swept_out() {
    let counters = Arc::new(Counters::default());
    let seats = Seats::new(counters.clone());
    let from = SocketAddr::from(([127, 0, 0, 1], 7));
    let context = Context::from_waker(Waker::noop());
    let (past, future) = (SystemTime::now() - super::DAY, SystemTime::now() + super::DAY);
    let (expired, good, plain) =
        (seats.take(from, Some(past), 9), seats.take(from, Some(future), 9), seats.take(from, None, 9));
    seats.sweep(Duration::from_hours(1));
    let over = [&expired, &good, &plain].map(|seat| seat.is_over(&context));
    assert_eq!(over, [true, false, false]);
    std::thread::sleep(Duration::from_millis(5));
    plain.touch();
    seats.sweep(Duration::from_millis(3));
    let over = [&expired, &good, &plain].map(|seat| seat.is_over(&context));
    assert_eq!(over, [true, true, false]);
    let snapshot = counters.snapshot();
    assert_eq!((snapshot.refused[&Cause::Expired], snapshot.refused[&Cause::TimedOut]), (1, 1));
    drop((expired, good, plain));
    assert_eq!((counters.snapshot().open, snapshot.open), (0, 3));
}
