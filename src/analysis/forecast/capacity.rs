//! What a link gives one migration now: the least of several limits, each with the name of the cause that it would be
//! (`miglink explain`). What is not known is left out and named.
//!
//! ```text
//! C = min(given or speed as goodput, PCIe, discipline as payload)             what the link carries
//! free = max(C - u, C/2) / migrations at once                                u: what others send
//! B = min(free, one core x channels, buffers x channels / round trip, …)     then the hypervisor's limit
//! ```

use super::question::{Traffic, Transport};
use crate::analysis::flags::rdma_unused;
use crate::sample::footing::{Footing, Shaped, Slot};

/// Headers of IPv4 and TCP with time stamps: an MTU less this is a segment.
const HEADERS: f64 = 52.0;
/// Preamble, Ethernet header, check sequence and gap: what a frame takes on the wire beside its MTU.
const FRAMING: f64 = 38.0;
/// The Ethernet header, which queueing disciplines count (`qdisc_pkt_len_init` in net/core/dev.c).
const ETHERNET: f64 = 14.0;
/// What one connection with TLS gets, bytes a second: one core encrypts (measured by openEuler, science of forecasts).
const TLS: f64 = 300e6;
/// An MTU where no link is known.
const USUAL_MTU: f64 = 1500.0;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The cause that it would be.
    pub name: &'static str,
    /// Bytes of payload a second.
    pub rate: f64,
}

/// A limit that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The cause that it would be.
    pub name: &'static str,
    /// What would tell it.
    pub what: &'static str,
}

/// What a link gives. Rates are bytes of payload a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capacity {
    /// All limits that are known, the least first.
    pub terms: Vec<Term>,
    /// Those that are not.
    pub unknown: Vec<Missing>,
    /// What the link carries of everybody's; none if neither a speed nor a discipline tells it.
    pub ceiling: Option<f64>,
    /// What one migration gets without the hypervisor's limit: while others send much (their 95th percentile), and as they
    /// mostly do (their median).
    pub link: Option<[f64; 2]>,
    /// Of that, what is shared with other migrations, as others mostly leave it.
    pub shared: Option<f64>,
    /// What its own connections, cores and buffers hold it to, whoever else is there; infinite if nothing does.
    pub own: f64,
    /// The hypervisor's limit.
    pub cap: Option<f64>,
}

impl Capacity {
    /// What one migration gets, the hypervisor's limit included: while others send much, and as they mostly do.
    pub fn range(&self) -> Option<[f64; 2]> {
        self.link.map(|both| both.map(|rate| self.cap.map_or(rate, |cap| rate.min(cap))))
    }

    /// What it gets as a rule.
    pub fn value(&self) -> Option<f64> {
        self.range().map(|[_, usual]| usual)
    }

    /// What holds it there.
    pub fn limited_by(&self) -> Option<&'static str> {
        self.value()?;
        self.terms.first().map(|term| term.name)
    }
}

/// The capacity of a link, or of a way that is given.
pub fn of(link: Option<&Footing>, given: Option<f64>, cap: Option<f64>, traffic: Traffic) -> Capacity {
    let mut sum = Sum { traffic, capacity: Capacity { own: f64::INFINITY, cap, ..Capacity::default() } };
    match link {
        Some(link) => {
            sum.link(link, given);
            sum.share(link);
            sum.connections(link);
        }
        None => {
            sum.hard("bandwidth", given);
            sum.leave([given, given]);
        }
    }
    sum.core();
    sum.finish()
}

/// What a link of this speed carries as payload of TCP.
fn goodput(link: &Footing, speed: f64) -> f64 {
    speed * segment(link) / (mtu(link) + FRAMING)
}

fn mtu(link: &Footing) -> f64 {
    if link.mtu == 0 {
        return USUAL_MTU;
    }
    f64::from(link.mtu)
}

fn segment(link: &Footing) -> f64 {
    (mtu(link) - HEADERS).max(1.0)
}

/// A capacity that grows term by term.
struct Sum {
    traffic: Traffic,
    capacity: Capacity,
}

impl Sum {
    fn term(&mut self, name: &'static str, rate: f64) {
        self.capacity.terms.push(Term { name, rate });
    }

    fn missing(&mut self, name: &'static str, what: &'static str) {
        self.capacity.unknown.push(Missing { name, what });
    }

    /// Something that holds everybody on the link.
    fn hard(&mut self, name: &'static str, rate: Option<f64>) {
        if let Some(rate) = rate {
            self.term(name, rate);
            self.capacity.ceiling = Some(self.capacity.ceiling.map_or(rate, |least| least.min(rate)));
        }
    }

    /// Something that holds one migration.
    fn own(&mut self, name: &'static str, rate: f64) {
        self.term(name, rate);
        self.capacity.own = self.capacity.own.min(rate);
    }

    /// What the link carries.
    fn link(&mut self, link: &Footing, given: Option<f64>) {
        match (given, link.speed) {
            (Some(given), _) => self.hard("bandwidth", Some(given)),
            (None, Some(speed)) => self.hard("link_saturated", Some(goodput(link, speed as f64))),
            (None, None) => self.missing("link_saturated", "a speed that the link is held to"),
        }
        match &link.shaping {
            Shaped::Unknown => self.missing("traffic_shaping", "the link's queueing disciplines"),
            Shaped::Depends => self.missing("traffic_shaping", "the class that a migration's packets take"),
            Shaped::Free => {}
            Shaped::Held { rate, each, .. } => {
                let payload = *rate as f64 * segment(link) / (mtu(link) + ETHERNET);
                if *each {
                    self.own("traffic_shaping", payload * f64::from(self.traffic.channels));
                } else {
                    self.hard("traffic_shaping", Some(payload));
                }
            }
        }
        match link.slot {
            Slot::None => {}
            Slot::Asleep => {
                self.missing("pcie_limited", "traffic on the link: an idle device may run its slot slower");
            }
            Slot::Gives(rate) => {
                self.term("pcie_limited", rate);
                // A slot alone says nothing of the port.
                self.capacity.ceiling = self.capacity.ceiling.map(|ceiling| ceiling.min(rate));
            }
        }
    }

    /// What others leave of it.
    fn share(&mut self, link: &Footing) {
        let Some(all) = self.capacity.ceiling else { return };
        let Some(others) = link.others else {
            self.missing("link_shared", "what others send over the link");
            self.leave([Some(all); 2]);
            return;
        };
        // A second stream shares evenly, so no others take more than half.
        let free = [others.p95, others.median].map(|used| (all - used).max(all / 2.0));
        if others.p95 > 0.0 {
            self.term("link_shared", free[1]);
        }
        self.leave(free.map(Some));
    }

    /// Migrations at once share what is left.
    fn leave(&mut self, free: [Option<f64>; 2]) {
        let each = free.map(|free| free.map(|free| free / f64::from(self.traffic.concurrent)));
        if let ([Some(high), Some(usual)], true) = (each, self.traffic.concurrent > 1) {
            self.term("concurrent", usual);
            self.capacity.link = Some([high, usual]);
        } else if let [Some(high), Some(usual)] = each {
            self.capacity.link = Some([high, usual]);
        }
        self.capacity.shared = free[1];
    }

    /// What connections get by themselves.
    fn connections(&mut self, link: &Footing) {
        let channels = f64::from(self.traffic.channels);
        if let Some(bond) = link.bond.filter(|bond| bond.members > 1) {
            let used = if bond.by_port { self.traffic.channels.min(bond.members) } else { 1 };
            self.own("single_stream", goodput(link, bond.member as f64) * f64::from(used));
        }
        if self.traffic.transport == Transport::Rdma {
            return;
        }
        let buffers = [("send_buffer", link.send_buffer), ("receive_window", link.receive_window)];
        for (name, buffer) in buffers {
            match (buffer, link.round_trip.filter(|time| !time.is_zero())) {
                (Some(bytes), Some(time)) => self.own(name, bytes * channels / time.as_secs_f64()),
                (None, _) => self.missing(name, "the host's buffers"),
                (_, None) => self.missing(name, "a round trip, which the next migration over the link gives"),
            }
        }
        if let Some(rate) = link.loss {
            self.own("ring_overflow", rate * channels);
        }
    }

    /// What a core does for each connection.
    fn core(&mut self) {
        let channels = f64::from(self.traffic.channels);
        match self.traffic.transport {
            Transport::Plain => self.own("sender_cpu", rdma_unused::CONNECTION * channels),
            Transport::Tls => self.own("sender_cpu", TLS * channels),
            Transport::Compressed => {
                self.missing("sender_cpu", "how fast a core of this host compresses this memory");
            }
            Transport::Rdma => {}
        }
    }

    fn finish(mut self) -> Capacity {
        let own = self.capacity.own;
        self.capacity.link = self.capacity.link.map(|both| both.map(|rate| rate.min(own)));
        if let Some(cap) = self.capacity.cap {
            self.term("bandwidth_cap", cap);
        }
        self.capacity.terms.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::{of, Capacity};
    use crate::analysis::forecast::question::{Traffic, Transport};
    use crate::sample::footing::{Footing, Others, Shaped, Slot, Spread};
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    fn link() -> Footing {
        Footing {
            device: "ens3f0".into(),
            mtu: 1500,
            hardware: true,
            speed: Some(1_250_000_000),
            slot: Slot::Gives(7e9),
            shaping: Shaped::Free,
            send_buffer: Some(3e6),
            receive_window: Some(3e6),
            others: Some(Others::default()),
            ..Footing::default()
        }
    }

    fn plain(link: &Footing) -> Capacity {
        of(Some(link), None, None, Traffic::default())
    }

    fn near(is: Option<f64>, wanted: f64) -> bool {
        is.is_some_and(|is| (is / wanted - 1.0).abs() < 1e-3)
    }

    #[test]
    fn ten_gigabits_are_nine_point_four() {
        let found = plain(&link());
        assert!(near(found.value(), 1.1768e9) && found.limited_by() == Some("link_saturated"), "{found:?}");
        let jumbo = plain(&Footing { mtu: 9000, ..link() });
        assert!(near(jumbo.value(), 1.2376e9), "{jumbo:?}");
        let missing: Vec<_> = found.unknown.iter().map(|missing| missing.name).collect();
        assert_eq!(missing, ["send_buffer", "receive_window"], "no round trip");
    }

    #[test]
    fn the_least_has_the_name() {
        let named = |link: Footing, name: &str, rate: f64| {
            let found = plain(&link);
            assert!(
                found.limited_by() == Some(name) && near(found.value(), rate),
                "{name} {rate}: {found:?}"
            );
        };
        let shaping = Shaped::Held { rate: 50_000_000, each: false, mend: "".into() };
        named(Footing { shaping, ..link() }, "traffic_shaping", 5e7 * 1448.0 / 1514.0);
        named(Footing { slot: Slot::Gives(5e8), ..link() }, "pcie_limited", 5e8);
        let far = Some(Duration::from_millis(30));
        named(Footing { round_trip: far, send_buffer: Some(2e6), ..link() }, "send_buffer", 2e6 / 0.03);
        named(Footing { loss: Some(1e8), ..link() }, "ring_overflow", 1e8);
        let bond = Some(Spread { member: 625_000_000, members: 2, by_port: true });
        named(Footing { bond, ..link() }, "single_stream", 6.25e8 * 1448.0 / 1538.0);
        named(Footing { speed: Some(12_500_000_000), slot: Slot::None, ..link() }, "sender_cpu", 2.25e9);
    }

    #[test]
    fn others_leave_at_least_half() {
        let used = |median, p95| plain(&Footing { others: Some(Others { median, p95 }), ..link() });
        let some = used(2e8, 4e8);
        assert_eq!(some.limited_by(), Some("link_shared"));
        let [high, usual] = some.range().expect("known");
        assert!(near(Some(usual), 1.1768e9 - 2e8) && near(Some(high), 1.1768e9 - 4e8));
        assert!(near(used(1.1e9, 1.1e9).value(), 1.1768e9 / 2.0));
        let unknown = plain(&Footing { others: None, ..link() });
        assert!(unknown.unknown.iter().any(|missing| missing.name == "link_shared"));
    }

    #[test]
    fn connections_add_up_and_migrations_divide() {
        let with = |traffic| of(Some(&link()), None, None, traffic);
        let tls = Traffic { transport: Transport::Tls, ..Traffic::default() };
        assert!(near(with(tls).value(), 3e8) && near(with(Traffic { channels: 3, ..tls }).value(), 9e8));
        let three = with(Traffic { concurrent: 3, ..Traffic::default() });
        assert!(three.limited_by() == Some("concurrent") && near(three.value(), 1.1768e9 / 3.0));
        let squeezed = with(Traffic { transport: Transport::Compressed, ..Traffic::default() });
        assert!(squeezed.unknown.iter().any(|missing| missing.name == "sender_cpu"));
    }

    #[test]
    fn a_name_is_no_speed() {
        let veth = Footing { speed: None, slot: Slot::None, ..link() };
        let found = plain(&veth);
        assert_eq!((found.value(), found.limited_by(), found.ceiling), (None, None, None));
        assert!(found.unknown.iter().any(|missing| missing.name == "link_saturated"));
        let given = of(Some(&veth), Some(5e7), None, Traffic::default());
        assert!(near(given.value(), 5e7) && given.limited_by() == Some("bandwidth"));
        let capped = of(None, Some(5e7), Some(1e7), Traffic::default());
        assert!(near(capped.value(), 1e7) && capped.limited_by() == Some("bandwidth_cap"));
        assert!(near(capped.link.map(|[_, usual]| usual), 5e7), "lifted for the pause");
    }

    proptest! {
        #[test]
        fn the_value_is_the_least_term(
            speed in 1e6..1e11f64, shaped in 1e5..1e11f64, median in 0.0..1e10f64, more in 1.0..4.0f64,
            milliseconds in 1u64..200, cap in 1e5..1e11f64, channels in 1u32..9, concurrent in 1u32..5,
        ) {
            let footing = Footing {
                speed: Some(speed as u64),
                shaping: Shaped::Held { rate: shaped as u64, each: false, mend: "".into() },
                others: Some(Others { median, p95: median * more }),
                round_trip: Some(Duration::from_millis(milliseconds)),
                ..link()
            };
            let traffic = Traffic { channels, concurrent, transport: Transport::Plain };
            let found = of(Some(&footing), None, Some(cap), traffic);
            let [high, usual] = found.range().expect("known");
            let least = found.terms[0].rate;
            prop_assert!((usual / least - 1.0).abs() < 1e-9, "{found:?}");
            prop_assert!(high <= usual && found.terms.iter().all(|term| term.rate >= least));
        }
    }
}
