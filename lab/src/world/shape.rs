//! Rates, queues and loss, with what small kernels have too: tbf and nftables.

use crate::scenario::Router;
use crate::shell;
use crate::units::{Percent, Rate};
use crate::SKIPPED;
use anyhow::{ensure, Result};
use std::process::Command;

/// What tbf lets pass at once. Large, or the kernel's timers hold the rate below what was asked for.
const BURST: u64 = 256 << 10;
/// What a router's port holds, in bytes, if the scenario does not say.
const QUEUE: u64 = 256 << 10;

/// A host's link with a rate.
pub fn link(namespace: &str, link: &str, rate: Rate) -> Result<()> {
    token_bucket(namespace, link, rate, "latency 20ms")
}

/// A router's port: rate and queue.
pub fn port(namespace: &str, port: &str, router: &Router) -> Result<()> {
    let queue = router.queue.map_or(QUEUE, |queue| queue.0);
    token_bucket(namespace, port, router.rate, &format!("limit {queue}"))
}

fn token_bucket(namespace: &str, link: &str, rate: Rate, queue: &str) -> Result<()> {
    let Some(bytes) = rate.bytes() else { return Ok(()) };
    let line = format!(
        "tc -n {namespace} qdisc add dev {link} root tbf rate {}bit burst {BURST} {queue}",
        u128::from(bytes) * 8
    );
    shell::run(&line).map(drop)
}

/// Loses packets at random that come in by a link.
pub fn lose(namespace: &str, link: &str, share: Percent) -> Result<()> {
    ensure!(shell::has("nft"), "{SKIPPED} loss: nft is not installed");
    // Chance in a hundred thousandth: 0.001 %.
    let chance = (share.0 * 1000.0).round() as u32;
    let rules = format!(
        "table ip lab {{ chain lose {{ type filter hook prerouting priority 0; \
         iifname {link} numgen random mod 100000 < {chance} drop; }}; }}"
    );
    let mut nft = Command::new("ip");
    shell::finish(nft.args(["netns", "exec", namespace, "nft", &rules])).map(drop)
}

/// Ends the loss.
pub fn lose_nothing(namespace: &str) -> Result<()> {
    shell::run(&format!("ip netns exec {namespace} nft delete table ip lab")).map(drop)
}
