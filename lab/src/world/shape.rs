//! Rates, queues, delay and loss, with what small kernels have too: tbf and nftables; delay needs netem.

use crate::scenario::Router;
use crate::shell;
use crate::units::{Percent, Rate, Span};
use crate::SKIPPED;
use anyhow::{ensure, Context, Result};
use std::process::Command;

/// What tbf lets pass at once. Large, or the kernel's timers hold the rate below what was asked for.
const BURST: u64 = 256 << 10;
/// What a router's port holds, in bytes, if the scenario does not say.
const QUEUE: u64 = 256 << 10;

/// A host's link with a rate.
pub fn link(namespace: &str, link: &str, rate: Rate) -> Result<()> {
    token_bucket(namespace, link, rate, "latency 20ms")
}

/// A router's port: rate, queue and delay.
pub fn port(namespace: &str, port: &str, router: &Router) -> Result<()> {
    match router.delay {
        Some(delay) => delayed(namespace, port, delay, router.rate),
        None => {
            let queue = router.queue.map_or(QUEUE, |queue| queue.0);
            token_bucket(namespace, port, router.rate, &format!("limit {queue}"))
        }
    }
}

fn token_bucket(namespace: &str, link: &str, rate: Rate, queue: &str) -> Result<()> {
    let Some(bytes) = rate.bytes() else { return Ok(()) };
    let line = format!(
        "tc -n {namespace} qdisc add dev {link} root tbf rate {}bit burst {BURST} {queue}",
        u128::from(bytes) * 8
    );
    shell::run(&line).map(drop)
}

fn delayed(namespace: &str, port: &str, delay: Span, rate: Rate) -> Result<()> {
    let rate = rate.bytes().map_or(String::new(), |bytes| format!("rate {}bit", u128::from(bytes) * 8));
    let delay = delay.0.as_micros();
    let line =
        format!("tc -n {namespace} qdisc add dev {port} root netem limit 20000 delay {delay}us {rate}");
    shell::run(&line)
        .map(drop)
        .with_context(|| format!("{SKIPPED} path.router.delay: this kernel has no netem"))
}

/// Loses packets at random where a hook of the packet filter sees them.
pub fn lose(namespace: &str, hook: &str, share: Percent) -> Result<()> {
    ensure!(shell::has("nft"), "{SKIPPED} loss: nft is not installed");
    // Chance in a hundred thousandth: 0.001 %.
    let chance = (share.0 * 1000.0).round() as u32;
    let rules = format!(
        "table ip lab {{ chain lose {{ type filter hook {hook} priority 0; \
         numgen random mod 100000 < {chance} drop; }}; }}"
    );
    let mut nft = Command::new("ip");
    shell::finish(nft.args(["netns", "exec", namespace, "nft", &rules])).map(drop)
}

/// Ends the loss.
pub fn lose_nothing(namespace: &str) -> Result<()> {
    shell::run(&format!("ip netns exec {namespace} nft delete table ip lab")).map(drop)
}
