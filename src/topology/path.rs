//! From the link that a flow leaves by down to the wire: vlan, bond and member; bridge and uplink; the host's side of
//! a veth pair. Pure: what the kernel routes is an argument.

use crate::sample::flow::Egress;
use crate::sample::link::{Index, Link, Links};

/// A path of more links than this is a loop.
const LONGEST: usize = 16;

/// The links of this host that a flow passes, from the one that its packets leave by down to the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// The link's name where the flow is; it may be in another namespace.
    pub device: String,
    /// The links of this program's namespace, in order; of a bond all members that are up.
    pub links: Vec<Index>,
    /// The names of the last ones: wires, or what stands for them here.
    pub wire: String,
    /// The members of a bond, while it is not known which of them the flow takes.
    pub members: Vec<Index>,
}

impl Path {
    /// The flow is found to take one member.
    pub fn takes(&mut self, member: &Link) {
        self.links.retain(|index| *index == member.index || !self.members.contains(index));
        self.wire.clone_from(&member.name);
        self.members.clear();
    }
}

/// Walks down from a flow's egress.
pub fn of(egress: &Egress, links: &Links) -> Path {
    let start = if egress.foreign { host_side(egress, links) } else { Some(egress.index) };
    let mut path = Path { device: egress.name.clone(), ..Path::default() };
    // What an operator knows is the link of the host, not the one inside a pod.
    if let Some(first) = start.and_then(|index| links.get(index)) {
        path.device.clone_from(&first.name);
    }
    let mut next: Vec<Index> = start.into_iter().collect();
    while let Some(link) = next.first().and_then(|index| links.get(*index)) {
        path.links.extend(&next);
        path.wire = names(&next, links);
        if next.len() > 1 {
            path.members.clone_from(&next);
        }
        next = below(link, egress.peer, links);
        next.retain(|index| !path.links.contains(index));
        if path.links.len() > LONGEST {
            break;
        }
    }
    path
}

/// Where a flow of another namespace enters this one: over a bridge that the pair's end is a port of, or routed.
fn host_side(egress: &Egress, links: &Links) -> Option<Index> {
    let peer = links.get(egress.peer?)?;
    match peer.master.and_then(|master| links.get(master)) {
        Some(bridge) => Some(bridge.index),
        None => egress.outer.or(Some(peer.index)),
    }
}

/// The links that carry a link, one step towards the wire; of a bond all members that are up. `came_by` is the port of a bridge that
/// the traffic enters by.
pub fn below(link: &Link, came_by: Option<Index>, links: &Links) -> Vec<Index> {
    let ports = || links.all().iter().filter(|port| port.master == Some(link.index) && port.oper_up);
    match &*link.kind {
        "bond" | "team" => ports().map(|port| port.index).collect(),
        // A bridge's way out is the port that leads to no guest; or, of two ports, the other one.
        "bridge" => {
            let leads_out =
                |port: &&Link| matches!(&*port.kind, "physical" | "bond" | "team" | "vlan" | "vxlan");
            let others: Vec<_> = ports().filter(|port| came_by.is_some_and(|by| by != port.index)).collect();
            let only = if let [only] = others[..] { Some(only) } else { None };
            ports().find(leads_out).or(only).map(|port| port.index).into_iter().collect()
        }
        _ => link.lower.into_iter().collect(),
    }
}

fn names(indices: &[Index], links: &Links) -> String {
    let names: Vec<&str> = indices.iter().filter_map(|at| links.get(*at)).map(|l| l.name.as_str()).collect();
    names.join("+")
}

#[cfg(test)]
mod tests {
    use super::{of, Path};
    use crate::sample::flow::Egress;
    use crate::sample::link::{Link, Links};

    fn host() -> Links {
        let link = |index, name: &str, kind: &'static str, lower, master| Link {
            index,
            name: name.into(),
            kind: kind.into(),
            lower,
            master,
            oper_up: index != 9,
            ..Link::default()
        };
        let list = vec![
            link(1, "ens1", "physical", None, Some(3)),
            link(2, "ens2", "physical", None, Some(3)),
            link(9, "ens9", "physical", None, Some(3)),
            link(3, "bond0", "bond", None, None),
            link(4, "bond0.7", "vlan", Some(3), Some(5)),
            link(5, "br0", "bridge", None, None),
            link(6, "veth1", "veth", None, Some(5)),
            link(7, "veth2", "veth", None, None),
            link(8, "loop0", "vlan", Some(8), None),
        ];
        Links::new(1, list, None)
    }

    fn own(index: u32, name: &str) -> Egress {
        Egress { index, name: name.into(), ..Egress::default() }
    }

    #[test]
    fn from_a_bridge_down_to_the_members() {
        let path = of(&own(5, "br0"), &host());
        let members = vec![1, 2];
        let expected =
            Path { device: "br0".into(), links: vec![5, 4, 3, 1, 2], wire: "ens1+ens2".into(), members };
        assert_eq!(path, expected);
        let (mut taken, links) = (path, host());
        taken.takes(links.get(2).expect("ens2"));
        assert_eq!((taken.links, taken.wire.as_str(), taken.members.len()), (vec![5, 4, 3, 2], "ens2", 0));
        let path = of(&own(7, "veth2"), &host());
        assert_eq!((path.device.as_str(), path.wire.as_str()), ("veth2", "veth2"));
        assert_eq!(of(&own(8, "loop0"), &host()).links, [8], "no loop");
        assert_eq!(of(&own(77, "gone"), &host()), Path { device: "gone".into(), ..Path::default() });
    }

    #[test]
    fn from_a_pod_to_the_hosts_wire() {
        let bridged = Egress { foreign: true, peer: Some(6), ..own(2, "eth0") };
        let path = of(&bridged, &host());
        assert_eq!((path.device.as_str(), path.wire.as_str()), ("br0", "ens1+ens2"));
        let single = Links::new(
            1,
            host().all().iter().filter(|l| ![4, 5].contains(&l.index)).cloned().collect(),
            None,
        );
        let mut two = single.all().to_vec();
        two.push(Link { index: 5, name: "br0".into(), kind: "bridge".into(), ..Link::default() });
        two.iter_mut().filter(|l| l.index == 7).for_each(|l| l.master = Some(5));
        let path = of(&bridged, &Links::new(2, two, None));
        assert_eq!(
            (path.device.as_str(), path.wire.as_str()),
            ("br0", "veth2"),
            "of two ports the other one"
        );
        let routed = Egress { foreign: true, peer: Some(7), outer: Some(4), ..own(2, "eth0") };
        assert_eq!(of(&routed, &host()).device, "bond0.7");
        let lost = Egress { foreign: true, ..own(2, "eth0") };
        assert_eq!(of(&lost, &host()), Path { device: "eth0".into(), ..Path::default() });
    }
}
