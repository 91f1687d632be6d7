//! Bonds and their members against sysfs (`bonding/` and `bonding_slave/`).

use super::super::tools::{Source, Tools};
use super::{Pair, Snapshot};

/// All that is compared of all bonds.
pub fn pairs(snapshot: &Snapshot) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for bond in snapshot.devices() {
        let Some(members) = snapshot.after.word(Source::Sysfs("bonding/slaves"), &bond) else { continue };
        let labels = [("device", bond.as_str())];
        let count = |tools: &Tools| {
            let members = tools.word(Source::Sysfs("bonding/slaves"), &bond).unwrap_or_default();
            Some(members.split_whitespace().count() as f64)
        };
        pairs.push(snapshot.pair("miglink_bond_members", &labels, "sysfs", count));
        for label in ["mode", "lacp_rate"] {
            pairs.push(described(snapshot, &bond, label));
        }
        for member in members.split_whitespace() {
            let labels = [("device", bond.as_str()), ("member", member)];
            let up = |tools: &Tools| state(tools, "bonding_slave/mii_status", member, "up");
            let failures =
                |tools: &Tools| tools.number(Source::Sysfs("bonding_slave/link_failure_count"), member);
            pairs.push(snapshot.pair("miglink_bond_member_up", &labels, "sysfs", up));
            pairs.push(snapshot.pair("miglink_bond_member_link_failures_total", &labels, "sysfs", failures));
            if let Some(active) = snapshot.after.word(Source::Sysfs("bonding/active_slave"), &bond) {
                let carries = |_: &Tools| Some(f64::from(u8::from(active == member)));
                pairs.push(snapshot.pair("miglink_bond_active", &labels, "sysfs", carries));
            }
        }
    }
    pairs
}

/// A label of `bond_info`: sysfs has the word and its number. LACP's rate only means something with LACP.
fn described(snapshot: &Snapshot, bond: &str, label: &str) -> Pair {
    let lacp = |tools: &Tools| {
        tools.word(Source::Sysfs("bonding/mode"), bond).is_some_and(|mode| mode.contains("802.3ad"))
    };
    let tool = |tools: &Tools| {
        let file = if label == "mode" { "bonding/mode" } else { "bonding/lacp_rate" };
        let words = tools.word(Source::Sysfs(file), bond).filter(|_| label == "mode" || lacp(tools))?;
        words.split_whitespace().next().map(str::to_owned)
    };
    snapshot.label("miglink_bond_info", &[("device", bond)], label, "sysfs", tool)
}

fn state(tools: &Tools, file: &'static str, device: &str, wanted: &str) -> Option<f64> {
    let word = tools.word(Source::Sysfs(file), device)?;
    Some(f64::from(u8::from(word == wanted)))
}
