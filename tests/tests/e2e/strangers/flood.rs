//! Flood: strangers of every kind at every listener at once, while a replica dies and is healed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use watchdog_tests::story::{Backend, Replica, Story};

use super::{Place, encrypted, places, until_told};

/// How many sit at each listener and say nothing.
const IDLE: usize = 1_000;
const NOISE_BYTES: usize = 10_000_000;
/// Another fault at once would be a crash loop, and backed off from.
const QUIET: Duration = Duration::from_millis(2_500);

fn dial(place: &Place) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(place.url.trim_start_matches("https://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Says something and answers what is said back.
fn say(place: &Place, what: &[u8]) -> usize {
    let mut heard = Vec::new();
    if let Ok(mut stream) = dial(place) {
        // It may be cut off before it has said all.
        let _ = stream.write_all(what);
        let _ = stream.read_to_end(&mut heard);
    }
    heard.len()
}

/// From the death of a replica to a healthy one in its place.
fn heal(story: &Story, name: &str) -> Duration {
    let dead: Replica = story.replica(name).unwrap();
    let began = Instant::now();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    began.elapsed()
}

pub(super) fn strangers_get_nothing_and_are_in_nobodys_way(backend: Backend) {
    let mut files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let story = encrypted(backend);
    let others = story.healthy().unwrap();
    let usual = heal(&story, "demo-b");
    std::thread::sleep(QUIET);

    let places = places(&story);
    let idle: Vec<TcpStream> =
        places.iter().flat_map(|place| (0..IDLE).map(move |_| dial(place).unwrap())).collect();
    let is_over = AtomicBool::new(false);
    let noise: Vec<u8> = (0..NOISE_BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let besieged = std::thread::scope(|scope| {
        for place in &places {
            // One who says a byte of a greeting now and then, one after the other.
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = dial(place) else { continue };
                    for byte in [22, 3, 1, 2, 0] {
                        let _ = stream.write_all(&[byte]);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    // At most an alert, which tells nothing.
                    assert!(say(place, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") <= 7);
                    assert!(say(place, &noise) <= 7);
                    // So that what is measured is not that our own noise takes the machine.
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let besieged = heal(&story, "demo-c");
        is_over.store(true, Ordering::Relaxed);
        besieged
    });
    for place in &places {
        for cause in ["too_many", "not_tls"] {
            until_told(place, cause);
        }
    }
    drop(idle);
    let times = besieged.as_secs_f64() / usual.as_secs_f64();
    eprintln!("a heal: {usual:?} in peace, {besieged:?} among strangers, {times:.2} times");
    // Twice is the promise; this machine may be busy with other tests.
    assert!(
        besieged < usual * 2 + Duration::from_secs(2),
        "{usual:?} in peace, {besieged:?} among strangers"
    );
    story.until_all_healthy().unwrap();
    let now = story.replica("demo-a").unwrap();
    assert!(others.contains(&now), "nobody else was touched");
}
