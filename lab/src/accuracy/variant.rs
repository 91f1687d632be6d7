//! Variants: scenarios made of a seed.

use super::draw::Draw;
use super::families::{Family, FAMILIES};
use crate::scenario::Scenario;
use anyhow::{Context, Result};

/// One scenario that nobody has written.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What it shows.
    pub family: &'static Family,
    /// Which one of its family, from 1 on.
    pub number: u32,
    /// What it was made of.
    pub seed: u64,
    /// Its scenario file, which `cargo xtask lab run` takes.
    pub text: String,
    /// The same, read.
    pub scenario: Scenario,
}

impl Variant {
    /// Makes one, whatever others there are.
    pub fn make(family: &'static Family, number: u32, seed: u64) -> Result<Self> {
        let mut draw = Draw::new(seed, family.name, number);
        let name = format!("{}:{number}, seed {seed}", family.name);
        let text = (family.make)(&mut draw, number).text(&name);
        let scenario = Scenario::parse(&text).with_context(|| format!("{name}\n{text}"))?;
        Ok(Self { family, number, seed, text, scenario })
    }

    /// As `--rerun` takes it.
    pub fn id(&self) -> String {
        format!("{}:{}", self.family.name, self.number)
    }

    /// What is special about it, in one line: the lines of its file that families fill in.
    pub fn summary(&self) -> String {
        let told = |line: &&str| {
            ["vm:", "watch:", "migrate:", "path:", "dedicated:", "  - "]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let lines: Vec<&str> = self.text.lines().filter(told).map(str::trim).collect();
        lines.join(" ")
    }
}

/// The variants of a seed: so many of each family that `wanted` names (all if it names none), round by round, so that a
/// disturbance of the machine meets all families.
pub fn variants(seed: u64, each: u32, wanted: &[String]) -> Result<Vec<Variant>> {
    let all = FAMILIES.iter().filter(|family| wanted.is_empty() || wanted.iter().any(|w| w == family.name));
    let all: Vec<&'static Family> = all.copied().collect();
    let count = |family: &Family| each * if wanted.is_empty() { family.weight } else { family.weight.max(1) };
    let most = all.iter().map(|family| count(family)).max().unwrap_or(0);
    let mut variants = Vec::new();
    for round in 0..most {
        for family in &all {
            if round < count(family) {
                variants.push(Variant::make(family, round + 1, seed)?);
            }
        }
    }
    Ok(variants)
}
