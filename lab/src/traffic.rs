//! Other traffic: TCP streams from one host to the other, at a pace or as fast as they go, until they are dropped. What arrives is
//! counted: how much of a link others really take is a measured truth.

use crate::clock;
use crate::host::Host;
use crate::stop::Stop;
use crate::units::Rate;
use anyhow::{Context, Result};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread may be deaf to the end.
const TICK: Duration = Duration::from_millis(100);

/// Running streams.
#[derive(Debug)]
pub struct Traffic {
    stop: Stop,
    threads: Vec<JoinHandle<Result<()>>>,
    received: Arc<AtomicU64>,
    since: f64,
}

/// What others moved, as their receiver counts it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Others {
    /// From when, in seconds since 1970.
    pub from: f64,
    /// Until when.
    pub until: f64,
    /// Bytes, without headers.
    pub bytes: u64,
}

impl Traffic {
    /// What arrived up to now.
    pub fn moved(&self) -> Others {
        Others { from: self.since, until: clock::wall(), bytes: self.received.load(Ordering::Relaxed) }
    }

    /// Starts that many streams to a port at the destination, each at this rate.
    pub fn start([from, to]: [&Host; 2], address: &str, port: u16, streams: u8, rate: Rate) -> Result<Self> {
        let address: SocketAddr = format!("{address}:{port}").parse().context("an address")?;
        let (stop, received) = (Stop::default(), Arc::<AtomicU64>::default());
        let mut traffic = Self { stop, threads: Vec::new(), received, since: clock::wall() };
        let (stop, network, count) = (traffic.stop.clone(), to.network()?, Arc::clone(&traffic.received));
        traffic.threads.push(std::thread::spawn(move || receive(&network, address, &stop, &count)));
        for _ in 0..streams {
            let (stop, network) = (traffic.stop.clone(), from.network()?);
            traffic.threads.push(std::thread::spawn(move || send(&network, address, rate, &stop)));
        }
        Ok(traffic)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.set();
        for thread in self.threads.drain(..) {
            if let Ok(Err(error)) = thread.join() {
                eprintln!("lab: other traffic: {error:#}");
            }
        }
    }
}

/// Moves this thread into a network namespace; sockets that it opens belong there.
pub fn enter(network: &File) -> Result<()> {
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).context("setns")
}

/// Takes in what comes and forgets it.
fn receive(network: &File, address: SocketAddr, stop: &Stop, count: &Arc<AtomicU64>) -> Result<()> {
    enter(network)?;
    let listener = TcpListener::bind(address).context("the port of other traffic")?;
    listener.set_nonblocking(true)?;
    let mut streams: Vec<JoinHandle<()>> = Vec::new();
    while !stop.is_set() {
        match listener.accept() {
            Ok((stream, _)) => {
                let (stop, count) = (stop.clone(), Arc::clone(count));
                streams.push(std::thread::spawn(move || swallow(stream, &stop, &count)));
            }
            Err(_) => clock::sleep(Duration::from_millis(10)),
        }
    }
    streams.into_iter().for_each(|stream| drop(stream.join()));
    Ok(())
}

fn swallow(mut stream: TcpStream, stop: &Stop, count: &AtomicU64) {
    stream.set_nonblocking(false).ok();
    stream.set_read_timeout(Some(TICK)).ok();
    let mut buffer = vec![0; 1 << 16];
    while !stop.is_set() {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(bytes) => drop(count.fetch_add(bytes as u64, Ordering::Relaxed)),
            // Nothing came in time.
            Err(_) => {}
        }
    }
}

fn send(network: &File, address: SocketAddr, rate: Rate, stop: &Stop) -> Result<()> {
    enter(network)?;
    let mut stream = clock::wait("the receiver of other traffic", Duration::from_secs(5), stop, || {
        Ok(TcpStream::connect(address).ok())
    })?;
    stream.set_write_timeout(Some(TICK))?;
    let buffer = vec![0x5a; 1 << 16];
    let mut pace = rate.bytes().map(Pace::new);
    while !stop.is_set() {
        if pace.as_mut().is_some_and(|pace| !pace.may_send(buffer.len())) {
            clock::sleep(Duration::from_millis(1));
            continue;
        }
        // A full socket is what this is for; a broken one is the end of it.
        match stream.write(&buffer) {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

/// What a stream with a rate may send by now. What it could not send in time is not made up for: others have a steady
/// share, not bursts.
struct Pace {
    rate: f64,
    credit: f64,
    last: Instant,
}

impl Pace {
    /// So much may be sent at once after a wait.
    const MOST: f64 = 256.0 * 1024.0;

    fn new(rate: u64) -> Self {
        Self { rate: rate as f64, credit: 0.0, last: clock::now() }
    }

    fn may_send(&mut self, bytes: usize) -> bool {
        let passed = clock::since(self.last).as_secs_f64();
        self.last = clock::now();
        self.credit = (self.credit + passed * self.rate).min(Self::MOST);
        let may = self.credit >= bytes as f64;
        self.credit -= if may { bytes as f64 } else { 0.0 };
        may
    }
}
