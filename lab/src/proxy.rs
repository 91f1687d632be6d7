//! Lets a browser of this machine reach a miglink inside a host of the lab.

use crate::clock;
use crate::exporter::ADDRESS;
use crate::host::Host;
use crate::stop::Stop;
use crate::traffic::enter;
use anyhow::{Context, Result};
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// Passes connections on until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a port of the loopback, or on another if that is taken.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("a port to listen on")?;
        listener.set_nonblocking(true).context("a port to listen on")?;
        let (address, network, stop) = (listener.local_addr()?, host.network()?, Stop::default());
        let until = stop.clone();
        let thread = std::thread::spawn(move || accept(&listener, &network, &until));
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.set();
        self.thread.take().map(JoinHandle::join);
    }
}

fn accept(listener: &TcpListener, network: &File, stop: &Stop) {
    while !stop.is_set() {
        let Ok((near, _)) = listener.accept() else {
            clock::sleep(Duration::from_millis(20));
            continue;
        };
        let Ok(network) = network.try_clone() else { continue };
        // A browser's connection lives as long as it likes: nobody waits for its thread.
        std::thread::spawn(move || pass(&near, &network).ok());
    }
}

/// One connection, both ways.
fn pass(near: &TcpStream, network: &File) -> Result<()> {
    near.set_nonblocking(false)?;
    enter(network)?;
    let far = TcpStream::connect(SocketAddr::from(ADDRESS))?;
    let (from_near, to_far) = (near.try_clone()?, far.try_clone()?);
    let up = std::thread::spawn(move || copy(from_near, &to_far));
    copy(far, near);
    up.join().ok();
    Ok(())
}

fn copy(mut from: TcpStream, mut to: &TcpStream) {
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Both).ok();
}
