//! The path between the hosts: network namespaces, a veth or a router with two, rates and MTU.

mod pod;
pub mod shape;
mod wire;

use crate::host::LINK;
use crate::made::{Made, PREFIX};
use crate::scenario::fault::Side;
use crate::scenario::{Attachment, Link, Path, Router, Scenario};
use crate::shell;
use crate::units::Rate;
use anyhow::Result;
use wire::Wire;

/// The names and addresses of a path.
#[derive(Debug)]
pub struct World {
    prefix: String,
    routed: bool,
    attachment: Option<Attachment>,
    /// The link that the migration goes over.
    link: Link,
    wire: Option<Wire>,
}

/// The MTU of a path that does not say.
const MTU: u16 = 1500;

impl World {
    /// Makes namespaces and links.
    pub fn make(made: &Made, scenario: &Scenario) -> Result<Self> {
        let prefix = format!("{PREFIX}{}", std::process::id());
        let (routed, attachment) = (scenario.path.router.is_some(), scenario.namespaced);
        let mut world = Self { prefix, routed, attachment, link: scenario.link(), wire: None };
        for side in Side::BOTH {
            namespace(made, &world.host(side))?;
        }
        match &scenario.path.router {
            Some(router) => world.route(made, router, scenario.path.mtu.unwrap_or(MTU))?,
            None => connect(&world.host(Side::Source), LINK, &world.host(Side::Destination), LINK)?,
        }
        for side in Side::BOTH {
            world.link(side, &scenario.path)?;
            world.pod(made, side)?;
        }
        if let Some(second) = &scenario.path.second {
            world.second(second.rate)?;
        }
        Ok(world)
    }

    /// The second link. It has no router and no more than a rate.
    fn second(&self, rate: Rate) -> Result<()> {
        let link = Link::Mig1.name();
        connect(&self.host(Side::Source), link, &self.host(Side::Destination), link)?;
        Side::BOTH.into_iter().try_for_each(|side| {
            let name = self.host(side);
            shell::run(&format!("ip -n {name} addr add {}/24 dev {link}", second_address(side)))?;
            shell::run(&format!("ip -n {name} link set {link} up"))?;
            shape::link(&name, link, rate)
        })
    }

    /// A host's network namespace.
    pub fn host(&self, side: Side) -> String {
        format!("{}-{}", self.prefix, side.short())
    }

    /// Where packets to the destination can be lost: the namespace, and the link that they come in by.
    pub fn last_hop(&self) -> (String, &'static str) {
        if self.routed {
            (self.router(), "rsrc")
        } else {
            (self.host(Side::Destination), LINK)
        }
    }

    /// A host's own address on the path.
    pub fn address(&self, side: Side) -> &'static str {
        match side {
            Side::Source => "10.78.0.1",
            Side::Destination if self.routed => "10.78.1.1",
            Side::Destination => "10.78.0.2",
        }
    }

    fn router(&self) -> String {
        format!("{}-rtr", self.prefix)
    }

    /// A router with a port to each host. With a delay its second port is at the far end of a long wire.
    fn route(&mut self, made: &Made, router: &Router, mtu: u16) -> Result<()> {
        let name = self.router();
        let far = self.port_of(Side::Destination, router.delay.is_some());
        namespace(made, &name)?;
        if far != name {
            namespace(made, &far)?;
        }
        for (side, place) in Side::BOTH.into_iter().zip([&name, &far]) {
            let (port, net) = (format!("r{}", side.short()), u8::from(side == Side::Destination));
            connect(place, &port, &self.host(side), LINK)?;
            shell::run(&format!("ip -n {place} link set {port} mtu {mtu}"))?;
            shell::run(&format!("ip -n {place} addr add 10.78.{net}.254/24 dev {port}"))?;
            shell::run(&format!("ip -n {place} link set {port} up"))?;
            shape::port(place, &port, router)?;
        }
        forward(&name)?;
        if let Some(delay) = router.delay {
            self.wire = Some(Wire::make(made, self, &far, delay, mtu)?);
        }
        router.loss.map_or(Ok(()), |loss| shape::lose(&name, "rsrc", loss))
    }

    /// The namespace that holds the router's port to a side.
    fn port_of(&self, side: Side, is_long: bool) -> String {
        if is_long && side == Side::Destination {
            format!("{}-far", self.prefix)
        } else {
            self.router()
        }
    }

    /// A host's link: address, MTU, rate, and the way to the other side.
    fn link(&self, side: Side, path: &Path) -> Result<()> {
        let name = self.host(side);
        shell::run(&format!("ip -n {name} addr add {}/24 dev {LINK}", self.address(side)))?;
        if let Some(mtu) = path.mtu {
            shell::run(&format!("ip -n {name} link set {LINK} mtu {mtu}"))?;
        }
        shell::run(&format!("ip -n {name} link set {LINK} up"))?;
        // The route says it, not the namespace's sysctl, which allows only what the machine's owner has allowed to all.
        let control =
            path.congestion_control.map_or(String::new(), |control| format!(" congctl {}", control.name()));
        let net = u8::from(side == Side::Destination && self.routed);
        if self.routed {
            shell::run(&format!("ip -n {name} route add 10.78.0.0/16 via 10.78.{net}.254{control}"))?;
        } else if !control.is_empty() {
            let own =
                format!("10.78.{net}.0/24 dev {LINK} proto kernel scope link src {}", self.address(side));
            shell::run(&format!("ip -n {name} route change {own}{control}"))?;
        }
        shape::link(&name, LINK, path.rate)
    }
}

/// A host's own address on the second link.
fn second_address(side: Side) -> &'static str {
    match side {
        Side::Source => "10.81.0.1",
        Side::Destination => "10.81.0.2",
    }
}

/// A network namespace of this name, with its loopback up.
fn namespace(made: &Made, name: &str) -> Result<()> {
    made.namespace(name)?;
    shell::run(&format!("ip netns add {name}"))?;
    shell::run(&format!("ip -n {name} link set lo up")).map(drop)
}

/// A veth between two namespaces.
fn connect(a: &str, link_a: &str, b: &str, link_b: &str) -> Result<()> {
    shell::run(&format!("ip link add {link_a} netns {a} type veth peer name {link_b} netns {b}")).map(drop)
}

/// Lets a namespace pass packets on.
fn forward(namespace: &str) -> Result<()> {
    let mut write = std::process::Command::new("ip");
    write.args(["netns", "exec", namespace, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
    shell::finish(&mut write).map(drop)
}
