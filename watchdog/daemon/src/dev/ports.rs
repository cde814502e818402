//! Ports: chosen before the processes start, because each stays with its process across restarts.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// Below what the kernel gives to outgoing connections, one of which might else take the port while its owner restarts.
const FIRST: u16 = 10_000;
const COUNT: u16 = 2_000;

/// A lock file for each port that was chosen, held until this process ends, however it ends.
static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// An address for each of `count` watchdogs: from `first` on, or free ones, preferably those of `earlier`.
pub(super) fn watchdogs(
    first: SocketAddr,
    count: u16,
    earlier: &[SocketAddr],
) -> anyhow::Result<Vec<SocketAddr>> {
    // All stay bound until the last is chosen, so that none is chosen twice.
    let mut bound = Vec::new();
    for index in 0..count {
        let listener = if first.port() == 0 {
            let earlier = earlier.get(usize::from(index)).filter(|address| address.ip() == first.ip());
            free(first.ip(), earlier.copied())?
        } else {
            let port = first.port().checked_add(index);
            let port = port.with_context(|| {
                format!("there is no port {index} above {}; choose a lower --listen", first.port())
            })?;
            given(SocketAddr::new(first.ip(), port))?
        };
        bound.push(listener);
    }
    let addresses: io::Result<Vec<_>> = bound.iter().map(TcpListener::local_addr).collect();
    addresses.context("ask for the chosen ports")
}

/// A port for the coordination service, preferably the `earlier` one: replicas that still run were told of it.
pub(super) fn coordination(earlier: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    free(IpAddr::V4(Ipv4Addr::LOCALHOST), earlier)
}

fn given(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "{address} is taken by another process; choose another --listen, or port 0 for free ones"
            )
        }
        _ => {
            anyhow::Error::new(error).context(format!("cannot listen on {address}; choose another --listen"))
        }
    })
}

/// Keeps a port from another `watchdog dev` that chooses while its owner starts or restarts; true also where that can't
/// be told.
fn reserve(port: u16) -> bool {
    let directory = std::env::temp_dir().join("watchdog-dev-ports");
    // Each user may have made it first; then the others choose as if it were not there.
    let _ = std::fs::create_dir(&directory);
    let Ok(file) = OpenOptions::new().create(true).append(true).open(directory.join(port.to_string())) else {
        return true;
    };
    let is_ours = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    if is_ours {
        RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }
    is_ours
}

fn free(ip: IpAddr, earlier: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    if let Some(listener) = earlier.and_then(|address| TcpListener::bind(address).ok()) {
        return Ok(listener);
    }
    // Anywhere, so that two that choose at the same time seldom try the same.
    let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
    let candidates = (0..COUNT).map(|step| {
        let offset = (start + u32::from(step)) % u32::from(COUNT);
        FIRST + u16::try_from(offset).unwrap_or_default()
    });
    let ours = candidates.filter(|port| reserve(*port));
    let mut bound = ours.filter_map(|port| TcpListener::bind(SocketAddr::new(ip, port)).ok());
    bound.next().with_context(|| format!("no free port on {ip} from {FIRST} to {}", FIRST + COUNT - 1))
}
