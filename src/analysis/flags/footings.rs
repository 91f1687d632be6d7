//! Keeps of each link what its capacity is made of, and puts the links of a way together when anything of it has changed.

use super::contract::Flag;
use super::state::LinkState;
use super::{pcie_limited, receive_window, ring_overflow, send_buffer, single_stream, words};
use crate::sample::flag::Flagged;
use crate::sample::footing::{Footing, Others, Shaped};
use crate::sample::link::{Link, Links};
use crate::sample::monotonic::Monotonic;
use crate::sample::subject::Key;
use crate::topology::path;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Between two lists: who asks for a forecast sees what was so long ago.
const EVERY: Duration = Duration::from_secs(5);
/// A way of more links than this is a loop.
const LONGEST: usize = 8;

/// What is kept.
#[derive(Debug, Default)]
pub struct Footings {
    by_key: HashMap<Key, (Arc<Footing>, bool)>,
    changed: bool,
    published: Monotonic,
    list: Arc<[Arc<Footing>]>,
}

impl Footings {
    /// A link was looked at.
    pub fn note(&mut self, link: &Link, state: &LinkState) {
        let footing = of(link, state);
        let now = (footing, state.addressed);
        let known = self.by_key.get(&link.key).map(|(footing, addressed)| (&**footing, *addressed));
        if known != Some((&now.0, now.1)) {
            self.by_key.insert(link.key, (Arc::new(now.0), now.1));
            self.changed = true;
        }
    }

    /// A link is down.
    pub fn forget(&mut self, key: Key) {
        self.changed |= self.by_key.remove(&key).is_some();
    }

    /// The links are others.
    pub fn keep(&mut self, links: &Links) {
        if !self.by_key.is_empty() {
            let keys: HashSet<Key> = links.exported().iter().map(|link| link.key).collect();
            self.by_key.retain(|key, _| keys.contains(key));
        }
        self.changed = true;
    }

    /// Makes the list anew if something has changed and it is time.
    pub fn publish(&mut self, links: &Links, now: Monotonic, at_once: bool) {
        let is_early = !self.list.is_empty() && now.since(self.published) < EVERY;
        if !self.changed || (is_early && !at_once) {
            return;
        }
        let ends = |link: &&Link| self.by_key.get(&link.key).is_some_and(|(_, addressed)| *addressed);
        self.list = links.exported().iter().filter(ends).filter_map(|link| self.whole(link, links)).collect();
        (self.changed, self.published) = (false, now);
    }

    /// A link with all that carries it; a bond stands for its members.
    fn whole(&self, link: &Link, links: &Links) -> Option<Arc<Footing>> {
        let (mut whole, _) = self.by_key.get(&link.key).cloned()?;
        let mut at = link;
        for _ in 0..LONGEST {
            if matches!(&*at.kind, "bond" | "team") {
                break;
            }
            let [next] = path::below(at, None, links)[..] else { break };
            let Some(lower) = links.get(next) else { break };
            if let Some((footing, _)) = self.by_key.get(&lower.key) {
                whole = Arc::new(Footing::clone(&whole).on(footing));
            }
            at = lower;
        }
        Some(whole)
    }

    /// The links that connections can end on, by name.
    pub fn list(&self) -> &Arc<[Arc<Footing>]> {
        &self.list
    }
}

/// A link alone.
fn of(link: &Link, state: &LinkState) -> Footing {
    let others = state.recent.others.map(|[_, sent]| Others { median: sent.median, p95: sent.p95 });
    let rdma = state.rdma.as_ref().filter(|rdma| rdma.active);
    Footing {
        key: link.key,
        device: link.name.as_str().into(),
        wire: link.name.as_str().into(),
        mtu: link.mtu,
        hardware: state.hardware,
        speed: state.speed.filter(|_| !state.nominal),
        slot: pcie_limited::slot(state),
        shaping: shaped(state),
        send_buffer: state.buffers.send.map(|[_, _, largest]| largest as f64 * send_buffer::USED),
        receive_window: receive_window::window(&state.buffers),
        round_trip: state.round_trip,
        others,
        bond: single_stream::spread(state),
        loss: loss(state, &ring_overflow::FLAG),
        larger_ring: state.ring.filter(|ring| ring.now < ring.most).map(|ring| ring.most),
        rdma: rdma.and_then(|rdma| Some((rdma.device.as_str().into(), rdma.rate?))),
    }
}

fn shaped(state: &LinkState) -> Shaped {
    match &state.shaper {
        None => Shaped::Unknown,
        Some(shaper) if shaper.depends => Shaped::Depends,
        Some(shaper) => shaper.rate.map_or(Shaped::Free, |rate| Shaped::Held {
            rate,
            each: shaper.each,
            mend: shaper.mend.as_str().into(),
        }),
    }
}

/// Mathis' bound for what the ring loses, where the flag is up.
fn loss(state: &LinkState, flag: &Flag) -> Option<f64> {
    let Flagged::Slows { .. } = (flag.judge)(state) else { return None };
    let factor = words::of_loss(state, state.recent.overflows?, state.recent.packets?)?;
    (factor > 1.0).then_some(state.ceiling()? / factor)
}

#[cfg(test)]
mod tests {
    use super::Footings;
    use crate::analysis::flags::state::{LinkState, Shaping};
    use crate::sample::footing::Shaped;
    use crate::sample::link::{Link, Links};
    use crate::sample::monotonic::Monotonic;
    use std::time::Duration;

    #[test]
    fn a_bridge_has_the_shaper_of_its_uplink() {
        let link = |key, name: &str, kind: &'static str, master| Link {
            key,
            index: key as u32,
            name: name.into(),
            kind: kind.into(),
            master,
            mtu: 1500,
            oper_up: true,
            exported: true,
            ..Link::default()
        };
        let list = vec![link(1, "br0", "bridge", None), link(2, "ens1", "physical", Some(1))];
        let links = Links::new(1, list, None);
        let of = |name: &str| links.all().iter().find(|link| link.name == name).expect(name).clone();
        let (mut footings, at) = (Footings::default(), |second| Monotonic(Duration::from_secs(second)));
        let bridge = LinkState { nominal: true, hardware: false, ..LinkState::example() };
        footings.note(&of("br0"), &bridge);
        footings.note(&of("ens1"), &LinkState { addressed: false, ..LinkState::example() });
        footings.publish(&links, at(1), false);
        let [only] = &footings.list()[..] else { panic!("{:?}", footings.list()) };
        assert_eq!((&*only.device, &*only.wire, only.speed), ("br0", "ens1", Some(1_250_000_000)));
        assert_eq!(only.shaping, Shaped::Free);
        let shaper = Shaping { rate: Some(50), ..Shaping::default() };
        let slower = LinkState { addressed: false, shaper: Some(shaper), ..LinkState::example() };
        footings.note(&of("ens1"), &slower);
        footings.publish(&links, at(2), false);
        assert_eq!(footings.list()[0].shaping, Shaped::Free, "not yet");
        footings.publish(&links, at(6), false);
        assert!(matches!(footings.list()[0].shaping, Shaped::Held { rate: 50, .. }));
        footings.forget(1);
        footings.publish(&links, at(12), false);
        assert!(footings.list().is_empty());
    }
}
