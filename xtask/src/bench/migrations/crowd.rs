//! Others on the same host: a process that holds thousands of established connections, none of which is a migration.

use super::peer::allow_many_descriptors;
use anyhow::{Context, Result};
use clap::Args;
use socket2::{Domain, Socket, Type};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};

/// Which connections.
#[derive(Args)]
pub struct Arguments {
    /// To where
    #[arg(long)]
    to: SocketAddr,
    /// How many
    #[arg(long)]
    connections: usize,
    /// The lowest of their own ports
    #[arg(long)]
    low: u16,
    /// The highest
    #[arg(long)]
    high: u16,
}

/// Connects, and holds the connections until the standard input ends.
pub fn run(arguments: &Arguments) -> Result<()> {
    allow_many_descriptors()?;
    let mut held = Vec::with_capacity(arguments.connections);
    for at in 0..arguments.connections {
        let port = port(arguments.low, arguments.high, at, arguments.connections);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
        socket.connect(&arguments.to.into()).with_context(|| format!("connection {at} from port {port}"))?;
        held.push(socket);
    }
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    // A reset leaves nothing behind that waits for its time to run out.
    held.iter().try_for_each(|socket| socket.set_linger(Some(std::time::Duration::ZERO)))?;
    Ok(())
}

/// Ports are spread evenly, so that every run has the same share of them in the ranges of migrations.
fn port(low: u16, high: u16, at: usize, all: usize) -> u16 {
    let width = usize::from(high - low) + 1;
    low + (at * width / all) as u16
}

#[cfg(test)]
mod tests {
    use super::port;
    use std::collections::HashSet;

    #[test]
    fn ports_are_spread_and_differ() {
        let ports: HashSet<u16> = (0..10_000).map(|at| port(32_768, 60_999, at, 10_000)).collect();
        assert_eq!(ports.len(), 10_000);
        let among = ports.iter().filter(|port| (49_152..=49_261).contains(*port)).count();
        assert!((35..45).contains(&among), "{among}");
        assert_eq!(port(20_000, 29_999, 9_999, 10_000), 29_999);
    }
}
