//! Forecasts for a terminal and as JSON: what `miglink predict` prints and `/api/v1/forecast` answers.

use super::flags::write_rows;
use super::units::{bits_per_second, bytes, seconds as time};
use crate::analysis::forecast::capacity::Capacity;
use crate::analysis::forecast::prospect::{Expected, Prospect, Times};
use crate::analysis::forecast::question::Question;
use crate::analysis::forecast::what_if::Row;
use serde_json::{json, Value};
use std::fmt::Write;

/// A number that exists, or `null`: JSON has no word for infinity.
fn number(value: f64) -> Value {
    if value.is_finite() {
        return json!(value);
    }
    Value::Null
}

/// For programs: an object for each link, the best first.
pub fn json_of(prospects: &[Prospect]) -> Value {
    json!({ "links": prospects.iter().map(link).collect::<Vec<_>>() })
}

fn link(prospect: &Prospect) -> Value {
    let Prospect { device, capacity, expected, what_if } = prospect;
    let range = capacity.range();
    let terms = capacity.terms.iter().map(|term| json!({"name": term.name, "bytes_per_second": term.rate}));
    let unknown = capacity.unknown.iter().map(|term| json!({"name": term.name, "missing": term.what}));
    json!({
        "device": device,
        "capacity_bytes_per_second": {
            "value": range.map(|[_, usual]| usual),
            "p10": range.map(|[busy, _]| busy),
            "p90": range.map(|[_, usual]| usual),
        },
        "limited_by": capacity.limited_by(),
        "terms": terms.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "forecast": expected.as_ref().map(forecast),
        "needs": expected.as_ref().map(needs),
        "what_if": what_if.iter().map(row).collect::<Vec<_>>(),
    })
}

fn times(times: Times) -> Value {
    // The pause of what never ends never comes.
    let pause = if times.total.is_finite() { times.pause } else { f64::INFINITY };
    json!({
        "total_seconds": number(times.total),
        "copy_seconds": number(times.copy),
        "pause_seconds": number(pause),
    })
}

fn forecast(expected: &Expected) -> Value {
    let usual = &expected.usual;
    let mut value = times(Times { total: usual.total(), copy: usual.copy, pause: usual.pause });
    value["converges"] = json!(usual.converges);
    value["p10"] = times(expected.best);
    value["p90"] = times(expected.worst);
    value["rounds"] = if usual.converges { json!(usual.rounds) } else { Value::Null };
    value["sent_bytes"] = number(usual.sent);
    value
}

fn needs(expected: &Expected) -> Value {
    let needs = expected.needs;
    json!({
        "bytes_per_second": number(needs.rate),
        "downtime_limit_seconds": number(needs.downtime_limit),
        "throttle_percent": number(needs.throttle * 100.0),
    })
}

fn row(row: &Row) -> Value {
    let mut value = json!({
        "change": row.change,
        "total_seconds": number(row.total),
        "pause_seconds": number(row.pause),
        "saves_seconds": number(row.saves),
    });
    if let Some(command) = &row.command {
        value["command"] = json!(command);
    }
    value
}

/// For a terminal. Details are told of the first `details` links.
pub fn table(prospects: &[Prospect], question: &Question, details: usize) -> String {
    let mut out = asked(question);
    let mut rows = vec![["LINK", "CAPACITY", "LIMITED BY", "TOTAL", "PAUSE", "RANGE"].map(str::to_owned)];
    rows.extend(prospects.iter().map(summary));
    write_rows(&mut out, &rows);
    for prospect in prospects.iter().take(details) {
        detail(&mut out, prospect);
    }
    out
}

/// What was asked, in a line.
fn asked(question: &Question) -> String {
    let Question { workload, conduct, cap, traffic, .. } = question;
    let mut parts = vec![format!("{} of memory", bytes(workload.memory))];
    if workload.zero_share > 0.0 {
        parts.push(format!("{:.0} % of it zero", workload.zero_share * 100.0));
    }
    let set = workload.dirtying.working_set;
    let within = if set.is_finite() { format!(" within {}", bytes(set)) } else { String::new() };
    parts.push(format!("{} MB/s dirtied{within}", (workload.dirtying.rate / 1e5).round() / 10.0));
    parts.push(format!("a pause of up to {} allowed", time(conduct.downtime_limit)));
    parts.push(
        cap.map_or("no limit of the hypervisor".into(), |cap| format!("held to {}", bits_per_second(cap))),
    );
    if traffic.channels > 1 {
        parts.push(format!("{} connections", traffic.channels));
    }
    if conduct.compression > 1.0 {
        parts.push(format!("compressed {} : 1", conduct.compression));
    }
    if traffic.concurrent > 1 {
        parts.push(format!("{} migrations at once", traffic.concurrent));
    }
    if conduct.auto_converge {
        parts.push("auto-converge".into());
    }
    format!("{}\n\n", parts.join(", "))
}

fn summary(prospect: &Prospect) -> [String; 6] {
    let name = prospect.device.clone().unwrap_or("as given".into());
    let Some((rate, expected)) = prospect.capacity.value().zip(prospect.expected) else {
        return [name, "unknown".into(), String::new(), String::new(), String::new(), String::new()];
    };
    let limited = prospect.capacity.limited_by().unwrap_or_default().to_owned();
    let rate = bits_per_second(rate);
    if !expected.usual.converges {
        return [name, rate, limited, "never ends".into(), String::new(), String::new()];
    }
    let Expected { usual, best, worst, .. } = expected;
    let range = format!("{} to {}", time(best.total), time(worst.total));
    [name, rate, limited, time(usual.total()), time(usual.pause), range]
}

fn detail(out: &mut String, prospect: &Prospect) {
    let Prospect { device, capacity, expected, what_if } = prospect;
    let name = device.as_deref().unwrap_or("The way");
    let Some(expected) = expected else {
        let _ = writeln!(out, "\n{name}: {}.", nobody_knows(capacity));
        return;
    };
    let terms = capacity.terms.iter().map(|term| format!("{} {}", term.name, bits_per_second(term.rate)));
    let _ = writeln!(out, "\n{name} is held by: {}", terms.collect::<Vec<_>>().join(", "));
    for missing in &capacity.unknown {
        let _ = writeln!(out, "Not known: {}, for want of {}", missing.name, missing.what);
    }
    if !expected.usual.converges {
        let _ = writeln!(out, "It never ends so. It would with {}.", wanted(expected));
    }
    if !what_if.is_empty() {
        let _ = writeln!(out);
        let mut rows = vec![["SAVES", "TOTAL", "PAUSE", "WHAT IF"].map(str::to_owned)];
        for row in what_if {
            let saves = if row.saves.is_finite() { time(row.saves) } else { "it ends".into() };
            rows.push([saves, time(row.total), time(row.pause), row.change.clone()]);
            rows.extend(
                row.command.iter().map(|command| ["", "", "", &format!("$ {command}")].map(str::to_owned)),
            );
        }
        write_rows(out, &rows);
    }
}

/// Why a link has no capacity, and what to do.
pub fn nobody_knows(capacity: &Capacity) -> String {
    let missing = capacity.unknown.first().map_or("its speed", |missing| missing.what);
    format!(
        "nobody knows what it carries, for want of {missing}; give it with --bandwidth, for example --bandwidth 9.4Gbit/s"
    )
}

/// What would make it converge.
fn wanted(expected: &Expected) -> String {
    let needs = expected.needs;
    format!(
        "{}, or with a pause of up to {} allowed, or with the guest slowed down by {:.0} %",
        bits_per_second(needs.rate),
        time(needs.downtime_limit),
        (needs.throttle * 100.0).ceil()
    )
}

#[cfg(test)]
mod tests {
    use super::{json_of, table};
    use crate::analysis::forecast::prospect;
    use crate::analysis::forecast::question::{Question, Traffic};
    use crate::analysis::forecast::way::Conduct;
    use crate::analysis::forecast::workload::{Dirtying, Workload};
    use crate::sample::footing::{Footing, Shaped};
    use serde_json::Value;

    fn question(rate: f64) -> Question {
        let workload = Workload { memory: 8e9, zero_share: 0.2, dirtying: Dirtying::linear(rate) };
        let (conduct, traffic) = (Conduct::default(), Traffic::default());
        Question { workload, conduct, cap: None, bandwidth: Some(1e8), traffic }
    }

    #[test]
    fn programs_get_every_field() {
        let body = json_of(&[prospect::of(None, &question(1e7))]);
        let link = &body["links"][0];
        assert_eq!((&link["device"], &link["limited_by"]), (&Value::Null, &Value::from("bandwidth")));
        assert_eq!(link["capacity_bytes_per_second"]["value"], Value::from(1e8));
        let forecast = &link["forecast"];
        assert_eq!(forecast["converges"], Value::Bool(true));
        for field in ["total_seconds", "copy_seconds", "pause_seconds"] {
            let at = |of: &Value| of[field].as_f64().expect(field);
            assert!(at(&forecast["p10"]) <= at(forecast) && at(forecast) <= at(&forecast["p90"]), "{body}");
        }
        assert!(
            forecast["sent_bytes"].as_f64().is_some_and(|sent| sent > 6e9) && forecast["rounds"].is_u64()
        );
        assert!(link["needs"]["bytes_per_second"].is_f64() && link["what_if"].is_array());
    }

    #[test]
    fn what_never_ends_has_no_time() {
        let found = [prospect::of(None, &question(3e8))];
        let body = json_of(&found);
        let forecast = &body["links"][0]["forecast"];
        assert_eq!(forecast["converges"], Value::Bool(false));
        for value in
            [&forecast["total_seconds"], &forecast["pause_seconds"], &forecast["p90"]["copy_seconds"]]
        {
            assert_eq!(*value, Value::Null, "{body}");
        }
        let text = table(&found, &question(3e8), 1);
        assert!(text.contains("never ends") && text.contains("slowed down by"), "{text}");
        assert!(text.contains("it ends") && text.contains("$ virsh migrate --live --postcopy"), "{text}");
    }

    #[test]
    fn a_link_of_which_nothing_is_known_asks_for_it() {
        let veth = Footing { device: "v0".into(), shaping: Shaped::Free, ..Footing::default() };
        let question = Question { bandwidth: None, ..question(1e7) };
        let found = [prospect::of(Some(&veth), &question)];
        let text = table(&found, &question, 1);
        assert!(text.contains("v0    unknown") && text.contains("--bandwidth 9.4Gbit/s"), "{text}");
        let body = json_of(&found);
        assert_eq!(body["links"][0]["forecast"], Value::Null);
    }
}
