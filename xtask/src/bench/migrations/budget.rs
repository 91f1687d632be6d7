//! The budgets of following migrations: which hold, and by how much.

use super::figures::{Crowd, Others, Run};
use std::fmt;

/// So many migrations at once…
const MIGRATIONS: usize = 100;
/// …may take this share of a core in all.
const ALL: f64 = 0.02;
/// Connections of others may cost what a filtered dump of them costs, and this much more. New ones are looked for once
/// a second.
const BEYOND_DUMPS: f64 = 1.2;

/// One budget.
pub struct Verdict {
    budget: String,
    figure: String,
    holds: bool,
}

impl Verdict {
    /// Whether the budget holds.
    pub fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "holds " } else { "BROKEN" };
        write!(f, "{word} {}: {}", self.budget, self.figure)
    }
}

/// Judges what was measured.
pub fn judge(run: &Run) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = run.crowds.iter().filter_map(followed).collect();
    verdicts.extend(run.crowds.iter().filter(|crowd| crowd.guests == MIGRATIONS).filter_map(share));
    if let Some(alone) = run.others.iter().find(|others| others.number == 0) {
        let crowds = run.others.iter().filter(|others| others.what.starts_with("connections"));
        verdicts.extend(crowds.map(|others| connections(others, alone)));
    }
    verdicts
}

/// A budget holds for nothing if what it is for was not done.
fn followed(crowd: &Crowd) -> Option<Verdict> {
    let moving = crowd.moving.as_ref()?;
    Some(Verdict {
        budget: format!("{} migrations are followed, by their monitors and their flows", crowd.guests),
        figure: format!("{} told, {} shown", moving.told, moving.shown),
        holds: moving.shown == crowd.guests && moving.told == crowd.guests,
    })
}

fn share(crowd: &Crowd) -> Option<Verdict> {
    let cpu = crowd.moving.as_ref()?.watch.cpu;
    Some(Verdict {
        budget: format!("{MIGRATIONS} migrations at once at most {:.0} % of a core", ALL * 100.0),
        figure: format!("{:.2} %", cpu * 100.0),
        holds: cpu < ALL,
    })
}

fn connections(others: &Others, alone: &Others) -> Verdict {
    let more = others.watch.cpu - alone.watch.cpu;
    let allowed = BEYOND_DUMPS * others.filtered.timed.median;
    Verdict {
        budget: format!(
            "{} {} cost at most 1.2 filtered dumps a second = {:.2} ms",
            others.number,
            others.what,
            allowed * 1e3
        ),
        figure: format!("{:.2} ms", more * 1e3),
        holds: more <= allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::bench::figures::Spread;
    use crate::bench::migrations::figures::{Crowd, Dump, Moving, Others, Run, Watch};
    use std::collections::BTreeMap;

    fn watch(cpu: f64) -> Watch {
        Watch { cpu, threads: BTreeMap::new(), resident: 1, resident_peak: 1 }
    }

    fn others(what: &str, number: usize, cpu: f64, dump: f64) -> Others {
        let spread = Spread { median: dump, least: dump, most: dump, repetitions: 1 };
        let dump = Dump { sockets: 1, hot: spread, timed: spread };
        Others { what: what.into(), number, watch: watch(cpu), filtered: dump.clone(), unfiltered: dump }
    }

    fn holding(cpu: f64, told: usize, with_connections: f64) -> Vec<bool> {
        let moving = Moving { watch: watch(cpu), shown: 100, told };
        let crowds = vec![Crowd { guests: 100, idle: watch(0.0), moving: Some(moving) }];
        let others = vec![
            others("nobody", 0, 0.001, 0.0001),
            others("connections", 10_000, with_connections, 0.001),
            others("processes", 2_000, 1.0, 0.0001),
        ];
        judge(&Run { kernel_release: String::new(), cpus: 1, crowds, others })
            .iter()
            .map(super::Verdict::holds)
            .collect()
    }

    #[test]
    fn each_budget_breaks_by_itself() {
        assert_eq!(holding(0.019, 100, 0.0021), [true, true, true]);
        assert_eq!(holding(0.021, 100, 0.0021), [true, false, true]);
        assert_eq!(holding(0.019, 99, 0.0021), [false, true, true]);
        assert_eq!(holding(0.019, 100, 0.0023), [true, true, false]);
    }
}
