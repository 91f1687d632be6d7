//! Sends frames over every link, so that counters are numbers of many digits' lengths and not zeros.

use anyhow::{Context, Result};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The discard service: nobody answers.
const PORT: u16 = 9;
/// Seed and step of a small congruential generator: every run sends the same.
const SEED: u32 = 7;

/// Sends 1 to 40 broadcasts of 1 to 1,400 bytes from every link of this namespace; gives how many went out.
///
/// A broadcast from a socket that is bound to a device needs no address and no route, and the veth's other end counts
/// it as received.
pub fn send_over_every_link() -> Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_broadcast(true)?;
    let target = SockAddr::from(SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT));
    let (mut random, mut sent) = (SEED, 0);
    for entry in fs::read_dir("/sys/class/net").context("/sys/class/net")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('v') {
            continue;
        }
        socket.bind_device(Some(name.as_bytes())).with_context(|| format!("binding to {name}"))?;
        for _ in 0..=next(&mut random) % 40 {
            let length = 1 + next(&mut random) as usize % 1400;
            // A full queue loses a frame; the counters are only meant not to be zero.
            sent += usize::from(socket.send_to(&[0x42; 1400][..length], &target).is_ok());
        }
    }
    Ok(sent)
}

fn next(random: &mut u32) -> u32 {
    *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *random >> 16
}
