//! Other traffic: TCP streams from one host to the other, as fast as they go, until they are dropped.

use crate::clock;
use crate::host::Host;
use crate::stop::Stop;
use anyhow::{Context, Result};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread may be deaf to the end.
const TICK: Duration = Duration::from_millis(100);

/// Running streams.
#[derive(Debug)]
pub struct Traffic {
    stop: Stop,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Traffic {
    /// Starts that many streams to a port at the destination.
    pub fn start(from: &Host, to: &Host, address: &str, port: u16, streams: u8) -> Result<Self> {
        let address: SocketAddr = format!("{address}:{port}").parse().context("an address")?;
        let mut traffic = Self { stop: Stop::default(), threads: Vec::new() };
        let (stop, network) = (traffic.stop.clone(), to.network()?);
        traffic.threads.push(std::thread::spawn(move || receive(&network, address, &stop)));
        for _ in 0..streams {
            let (stop, network) = (traffic.stop.clone(), from.network()?);
            traffic.threads.push(std::thread::spawn(move || send(&network, address, &stop)));
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
fn receive(network: &File, address: SocketAddr, stop: &Stop) -> Result<()> {
    enter(network)?;
    let listener = TcpListener::bind(address).context("the port of other traffic")?;
    listener.set_nonblocking(true)?;
    let mut streams: Vec<JoinHandle<()>> = Vec::new();
    while !stop.is_set() {
        match listener.accept() {
            Ok((stream, _)) => {
                let stop = stop.clone();
                streams.push(std::thread::spawn(move || swallow(stream, &stop)));
            }
            Err(_) => clock::sleep(Duration::from_millis(10)),
        }
    }
    streams.into_iter().for_each(|stream| drop(stream.join()));
    Ok(())
}

fn swallow(mut stream: TcpStream, stop: &Stop) {
    stream.set_nonblocking(false).ok();
    stream.set_read_timeout(Some(TICK)).ok();
    let mut buffer = vec![0; 1 << 16];
    while !stop.is_set() {
        if matches!(stream.read(&mut buffer), Ok(0)) {
            return;
        }
    }
}

fn send(network: &File, address: SocketAddr, stop: &Stop) -> Result<()> {
    enter(network)?;
    let mut stream = clock::wait("the receiver of other traffic", Duration::from_secs(5), stop, || {
        Ok(TcpStream::connect(address).ok())
    })?;
    stream.set_write_timeout(Some(TICK))?;
    let buffer = vec![0x5a; 1 << 16];
    while !stop.is_set() {
        // A full socket is what this is for; a broken one is the end of it.
        match stream.write(&buffer) {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
