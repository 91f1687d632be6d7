//! The far end, in a namespace of its own: takes in streams of migrations, and holds connections of others.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::io::Read;
use std::net::{IpAddr, TcpListener};
use std::thread;

/// What it listens on.
#[derive(Args)]
pub struct Arguments {
    /// Its address
    #[arg(long)]
    address: IpAddr,
    /// What it does with connections
    kind: Kind,
    /// The first port
    first: u16,
    /// How many ports
    ports: u16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Takes in one stream after the other
    Streams,
    /// Holds all connections
    Service,
}

/// Serves until the standard input ends.
pub fn run(arguments: &Arguments) -> Result<()> {
    allow_many_descriptors()?;
    for port in arguments.first..arguments.first + arguments.ports {
        let listener = TcpListener::bind((arguments.address, port)).with_context(|| port.to_string())?;
        let kind = arguments.kind;
        thread::Builder::new().stack_size(256 << 10).spawn(move || serve(&listener, kind))?;
    }
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn serve(listener: &TcpListener, kind: Kind) {
    let mut connections = listener.incoming().flatten();
    match kind {
        Kind::Service => drop(connections.collect::<Vec<_>>()),
        Kind::Streams => {
            let mut buffer = vec![0; 128 << 10];
            connections.by_ref().for_each(
                |mut stream| {
                    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
                },
            );
        }
    }
}

/// As many descriptors as this process may have: two measurements of connections need more than the usual thousand.
pub fn allow_many_descriptors() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("RLIMIT_NOFILE")
}
