//! Host texts: what a host agent reads from replicas, the kernel and its own lease files.
//!
//! *Holds*: a lease is its digits or nothing; what is no answer is none.

use std::collections::BTreeMap;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("host_texts", Flavour::Text) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let head = host_agent::outside::probe_head(bytes);
    let lease = host_agent::outside::lease(bytes);
    if let Some(ms @ 1..) = lease {
        assert_eq!(format!("{ms:020}").as_bytes(), bytes, "lease: it runs on without its digits");
    }
    let text = String::from_utf8_lossy(bytes);
    let stat = host_agent::outside::stat(&text);
    let own = replica_agent::outside::start_ticks(&text);
    if let Some((_, _, ticks)) = stat {
        assert_eq!(own, Some(ticks), "stat: host agent and replica disagree about its start");
    }
    let said = BTreeMap::from([
        ("head", format!("{:?}", head.map(|(status, length)| (status / 100, length.is_some())))),
        ("lease", format!("{:?}", lease.map(|ms| ms > 0))),
        ("stat", stat.is_some().to_string()),
    ]);
    let words = format!("{said:?}").replace('"', "");
    if head.is_some() || stat.is_some() || lease != Some(0) {
        Verdict::Taken(words)
    } else {
        Verdict::Refused(words)
    }
}

fn samples() -> Vec<Vec<u8>> {
    texts(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 503 No\r\ncontent-length:0\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 204 Empty\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 999999 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "00000000000000012345",
        "18446744073709551615",
        "released            ",
        "+0000000000000012345",
        "42 (a) (b c)) T 1 42 40 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0",
        "42 (cut off) S 1",
        "",
    ])
}
