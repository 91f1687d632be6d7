//! Cases: plans with a name by which each can be made again.

use super::kinds::Kind;
use super::plan::Plan;
use crate::accuracy::draw::Draw;
use crate::scenario::Scenario;
use anyhow::{Context, Result};

/// One run to make.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is.
    pub kind: &'static Kind,
    /// Which one of its kind, from 1 on.
    pub number: u32,
    /// What it was made of.
    pub seed: u64,
    /// What was drawn.
    pub plan: Plan,
    /// The scenario.
    pub scenario: Scenario,
}

impl Case {
    /// Makes one, whatever others there are.
    pub fn make(kind: &'static Kind, number: u32, seed: u64) -> Result<Self> {
        let plan = kind.plan(&mut Draw::new(seed, kind.name, number));
        let name = format!("{}:{number}, seed {seed}", kind.name);
        let text = plan.text(&name);
        let scenario = Scenario::parse(&text).with_context(|| format!("{name}\n{text}"))?;
        Ok(Self { kind, number, seed, plan, scenario })
    }

    /// As `--rerun` takes it.
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind.name, self.number)
    }

    /// Whether miglink is told of the guest in its configuration: every second one of each kind.
    pub fn has_profile(&self) -> bool {
        self.number.is_multiple_of(2)
    }
}

/// So many cases of a seed, of the kinds that `wanted` names (all if it names none).
pub fn cases(seed: u64, runs: usize, wanted: &[String]) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    let kinds = (0..).filter_map(Kind::nth);
    for kind in
        kinds.filter(|kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.name)).take(runs)
    {
        let before = cases.iter().filter(|case| case.kind.name == kind.name).count();
        cases.push(Case::make(kind, before as u32 + 1, seed)?);
    }
    Ok(cases)
}
