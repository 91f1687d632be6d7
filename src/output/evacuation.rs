//! Evacuations for a terminal and as JSON: what `miglink predict --vms` prints.

use super::flags::write_rows;
use super::units::seconds as time;
use crate::analysis::forecast::evacuation::{soonest, Guest, Lane, Leg, Plan};
use serde_json::{json, Value};
use std::fmt::Write;

/// What was computed.
#[derive(Debug, Clone, Copy)]
pub struct Evacuation<'a> {
    /// The guests.
    pub guests: &'a [Guest],
    /// The links.
    pub lanes: &'a [Lane],
    /// The plan that was asked for.
    pub plan: &'a Plan,
    /// Each number at a time.
    pub plans: &'a [Plan],
}

fn number(value: f64) -> Value {
    if value.is_finite() {
        return json!(value);
    }
    Value::Null
}

fn pause(plan: &Plan) -> f64 {
    plan.longest_pause().map_or(0.0, |leg| leg.pause)
}

impl Evacuation<'_> {
    fn device(&self, leg: &Leg) -> Option<&str> {
        self.lanes.get(leg.lane).map(|lane| lane.device.as_str()).filter(|name| !name.is_empty())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let row = |plan: &Plan| {
            json!({
                "parallel": plan.parallel,
                "total_seconds": number(plan.total()),
                "longest_pause_seconds": number(pause(plan)),
            })
        };
        let legs = self.plan.legs.iter().map(|leg| {
            json!({
                "name": self.guests[leg.guest].name,
                "device": self.device(leg),
                "begins_seconds": number(leg.begins),
                "ends_seconds": number(leg.ends),
                "pause_seconds": number(leg.pause),
            })
        });
        let mut value = row(self.plan);
        value["schedule"] = legs.collect();
        value["by_parallel"] = self.plans.iter().map(row).collect();
        value["soonest"] = soonest(self.plans).map_or(Value::Null, row);
        value
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut rows = vec![["GUEST", "LINK", "BEGINS AT", "ENDS AT", "PAUSE"].map(str::to_owned)];
        for leg in &self.plan.legs {
            let name = self.guests[leg.guest].name.clone();
            let device = self.device(leg).unwrap_or("as given").to_owned();
            rows.push([name, device, time(leg.begins), time(leg.ends), time(leg.pause)]);
        }
        write_rows(&mut out, &rows);
        let Plan { parallel, legs } = self.plan;
        let total = self.plan.total();
        if total.is_finite() {
            let _ = writeln!(
                out,
                "\n{} guests, {parallel} at a time: {}, the longest pause {}.",
                legs.len(),
                time(total),
                time(pause(self.plan))
            );
        } else {
            let stay = legs.iter().filter(|leg| leg.ends.is_infinite());
            let names: Vec<&str> = stay.map(|leg| self.guests[leg.guest].name.as_str()).collect();
            let _ = writeln!(
                out,
                "\nThese never end: {}. `miglink predict --memory … --dirty-rate …` says what each would need.",
                names.join(", ")
            );
        }
        out += &self.numbers();
        out
    }

    /// Each number at a time.
    fn numbers(&self) -> String {
        let mut out = String::from("\n");
        let mut rows = vec![["AT A TIME", "TOTAL", "LONGEST PAUSE", ""].map(str::to_owned)];
        let best = soonest(self.plans).map(|plan| plan.parallel);
        for plan in self.plans {
            let first = best == Some(plan.parallel) && plan.total().is_finite();
            let word = if first { "ends first" } else { "" };
            rows.push([plan.parallel.to_string(), time(plan.total()), time(pause(plan)), word.into()]);
        }
        write_rows(&mut out, &rows);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Evacuation;
    use crate::analysis::forecast::evacuation::{all, plan, Guest, Lane};
    use crate::analysis::forecast::question::{Question, Traffic};
    use crate::analysis::forecast::way::Conduct;
    use crate::analysis::forecast::workload::{Dirtying, Workload};
    use serde_json::json;

    #[test]
    fn both_say_who_goes_when() {
        let guest = |name: &str, rate| {
            let workload = Workload { memory: 8e9, zero_share: 0.0, dirtying: Dirtying::linear(rate) };
            let (conduct, traffic) = (Conduct::default(), Traffic::default());
            Guest {
                name: name.into(),
                question: Question { workload, conduct, cap: None, bandwidth: None, traffic },
            }
        };
        let lanes = [Lane { device: "ens3f0".into(), shared: 1e9, own: Vec::new() }];
        let guests = [guest("web1", 1e7), guest("db1", 9e7)];
        let (chosen, plans) = (plan(&guests, &lanes, 1), all(&guests, &lanes));
        let found = Evacuation { guests: &guests, lanes: &lanes, plan: &chosen, plans: &plans };
        let body = found.json();
        assert_eq!(body["schedule"][0]["name"], json!("db1"), "{body}");
        assert_eq!((&body["schedule"][1]["device"], &body["parallel"]), (&json!("ens3f0"), &json!(1)));
        assert_eq!(body["by_parallel"].as_array().map(Vec::len), Some(2));
        let text = found.table();
        assert!(text.contains("2 guests, 1 at a time: ") && text.contains("ends first"), "{text}");
        let hopeless = [guest("db2", 5e9)];
        let (chosen, plans) = (plan(&hopeless, &lanes, 1), all(&hopeless, &lanes));
        let found = Evacuation { guests: &hopeless, lanes: &lanes, plan: &chosen, plans: &plans };
        assert!(found.table().contains("These never end: db2."), "{}", found.table());
        assert_eq!(found.json()["total_seconds"], json!(null));
    }
}
