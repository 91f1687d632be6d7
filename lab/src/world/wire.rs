//! A long wire behind the router, for kernels that cannot delay packets themselves (netem). The router's packets go
//! through a VXLAN tunnel, whose datagrams a relay in the lab holds back for as long as the scenario says.
//!
//! ```text
//! router  rwan ══ vxlan ══ w0 ─ relay ─ w1 ══ vxlan ══ fwan  far  rdst ── destination
//! ```

use super::{connect, forward, namespace, World};
use crate::clock;
use crate::made::Made;
use crate::shell;
use crate::stop::Stop;
use crate::traffic::enter;
use crate::units::Span;
use crate::SKIPPED;
use anyhow::{ensure, Context, Result};
use std::collections::VecDeque;
use std::fs::File;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The tunnel's port.
const PORT: u16 = 4789;
/// What a tunnel adds to a packet, with room to spare.
const OVERHEAD: u16 = 100;
/// Bytes that may wait in a relay's socket: what a queue of a scenario lets through at once, and more.
const BUFFER: usize = 8 << 20;
/// How often a relay looks at its socket.
const TICK: Duration = Duration::from_micros(500);

/// Holds datagrams back, both ways, until it is dropped.
#[derive(Debug)]
pub struct Wire {
    stop: Stop,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Wire {
    /// Makes the tunnel between a router and a namespace of the far end, `delay` long each way.
    pub(super) fn make(made: &Made, world: &World, far: &str, delay: Span, mtu: u16) -> Result<Self> {
        ensure!(shell::has("ethtool"), "{SKIPPED} path.router.delay: ethtool is not installed");
        let (router, middle) = (world.router(), format!("{router}-wire", router = world.router()));
        namespace(made, &middle)?;
        for (number, (end, device)) in [(router.as_str(), "rwan"), (far, "fwan")].into_iter().enumerate() {
            let (outer, inner) = (format!("10.79.{number}"), number + 1);
            connect(end, "under", &middle, &format!("w{number}"))?;
            for (place, link, last) in [(end, "under".to_owned(), 1), (&middle, format!("w{number}"), 2)] {
                shell::run(&format!("ip -n {place} addr add {outer}.{last}/24 dev {link}"))?;
                shell::run(&format!("ip -n {place} link set {link} mtu {} up", mtu + OVERHEAD))?;
            }
            shell::run(&format!(
                "ip -n {end} link add {device} mtu {mtu} type vxlan id 1 dstport {PORT} local {outer}.1 remote {outer}.2 noudpcsum"
            ))
            .with_context(|| format!("{SKIPPED} path.router.delay: this kernel has neither netem nor vxlan"))?;
            // What the relay gets must be whole packets with their own check sums.
            shell::run(&format!("ip netns exec {end} ethtool -K {device} tx off"))?;
            shell::run(&format!("ip -n {end} addr add 10.78.200.{inner}/24 dev {device}"))?;
            shell::run(&format!("ip -n {end} link set {device} up"))?;
        }
        shell::run(&format!("ip -n {router} route add 10.78.1.0/24 via 10.78.200.2"))?;
        shell::run(&format!("ip -n {far} route add 10.78.0.0/24 via 10.78.200.1"))?;
        forward(far)?;
        Self::start(&middle, delay.0)
    }

    fn start(middle: &str, delay: Duration) -> Result<Self> {
        let network = File::open(format!("/run/netns/{middle}")).context("the wire's namespace")?;
        // Sockets belong to the namespace in which they are opened.
        let open = std::thread::spawn(move || -> Result<[Arc<UdpSocket>; 2]> {
            enter(&network)?;
            Ok([Arc::new(socket("10.79.0.2")?), Arc::new(socket("10.79.1.2")?)])
        });
        let [near, far] = open.join().map_err(|_| anyhow::anyhow!("the wire's sockets"))??;
        let stop = Stop::default();
        let relay = |from: &Arc<UdpSocket>, to: &Arc<UdpSocket>, address| {
            let (from, to, stop) = (Arc::clone(from), Arc::clone(to), stop.clone());
            std::thread::spawn(move || relay(&from, &to, address, delay, &stop))
        };
        let threads = vec![relay(&near, &far, "10.79.1.1"), relay(&far, &near, "10.79.0.1")];
        Ok(Self { stop, threads })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.set();
        for thread in self.threads.drain(..) {
            if let Ok(Err(error)) = thread.join() {
                eprintln!("lab: the wire: {error:#}");
            }
        }
    }
}

fn socket(address: &str) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((address, PORT)).context("the wire's socket")?;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).context("a socket's buffer")?;
    socket.set_nonblocking(true).context("the wire's socket")?;
    Ok(socket)
}

/// Takes datagrams from one end and gives them to the other when their time has come.
fn relay(from: &UdpSocket, to: &UdpSocket, address: &str, delay: Duration, stop: &Stop) -> Result<()> {
    let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 1 << 16];
    while !stop.is_set() {
        while let Ok(length) = from.recv(&mut buffer) {
            waiting.push_back((clock::now() + delay, buffer[..length].to_vec()));
        }
        let now = clock::now();
        while waiting.front().is_some_and(|(due, _)| *due <= now) {
            let (_, datagram) = waiting.pop_front().context("it was there")?;
            // A full queue loses it, as on any wire.
            to.send_to(&datagram, (address, PORT)).ok();
        }
        clock::sleep(TICK);
    }
    Ok(())
}
