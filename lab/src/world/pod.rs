//! A network namespace of a host's hypervisors, as pods have it: connected by a bridge, or by a route.

use super::{connect, forward, namespace, second_address, World};
use crate::host::LINK;
use crate::made::Made;
use crate::scenario::fault::Side;
use crate::scenario::{Attachment, Link};
use crate::shell;
use anyhow::Result;

impl World {
    /// The network namespace of a host's hypervisors, where it is another.
    pub fn pod_of(&self, side: Side) -> Option<String> {
        self.attachment.map(|_| format!("{}-pod", self.host(side)))
    }

    /// The address at which a side's hypervisors are reached.
    pub fn hypervisor_address(&self, side: Side) -> &'static str {
        match (self.attachment, side) {
            (None, _) if self.link == Link::Mig1 => second_address(side),
            (None, _) => self.address(side),
            (Some(Attachment::Bridge), Side::Source) => "10.78.0.11",
            (Some(Attachment::Bridge), Side::Destination) => "10.78.0.12",
            (Some(Attachment::Routed), Side::Source) => "10.78.10.2",
            (Some(Attachment::Routed), Side::Destination) => "10.78.11.2",
        }
    }

    /// Makes it, if the scenario has one.
    pub(super) fn pod(&self, made: &Made, side: Side) -> Result<()> {
        let (host, Some(pod)) = (self.host(side), self.pod_of(side)) else { return Ok(()) };
        namespace(made, &pod)?;
        connect(&host, "pod0", &pod, "eth0")?;
        let address = self.hypervisor_address(side);
        shell::run(&format!("ip -n {pod} addr add {address}/24 dev eth0"))?;
        shell::run(&format!("ip -n {host} link set pod0 up"))?;
        shell::run(&format!("ip -n {pod} link set eth0 up"))?;
        match self.attachment {
            Some(Attachment::Routed) => self.routed(side, &host, &pod),
            _ => self.bridged(side, &host),
        }
    }

    /// The host's link and the pod's become ports of a bridge, which takes over the host's address.
    fn bridged(&self, side: Side, host: &str) -> Result<()> {
        let address = self.address(side);
        shell::run(&format!("ip -n {host} link add br0 type bridge"))?;
        shell::run(&format!("ip -n {host} addr del {address}/24 dev {LINK}"))?;
        shell::run(&format!("ip -n {host} addr add {address}/24 dev br0"))?;
        for port in [LINK, "pod0"] {
            shell::run(&format!("ip -n {host} link set {port} master br0"))?;
        }
        shell::run(&format!("ip -n {host} link set br0 up")).map(drop)
    }

    /// The host is the pod's router, and knows the other host's pods.
    fn routed(&self, side: Side, host: &str, pod: &str) -> Result<()> {
        let (own, others, other) = match side {
            Side::Source => ("10.78.10", "10.78.11", Side::Destination),
            Side::Destination => ("10.78.11", "10.78.10", Side::Source),
        };
        shell::run(&format!("ip -n {host} addr add {own}.1/24 dev pod0"))?;
        shell::run(&format!("ip -n {host} route add {others}.0/24 via {}", self.address(other)))?;
        shell::run(&format!("ip -n {pod} route add default via {own}.1"))?;
        forward(host)
    }
}
