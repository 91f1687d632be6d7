//! Running migrations, a card each: what limits it, when it ends, how long the guest will pause, and what to do.

use super::outlook::{self, Fact};
use super::story::{plain, Story};
use super::view::View;
use super::words;
use crate::output::migrations::Row;
use crate::output::{outlook as whole_outlook, units};
use crate::sample::subject::Key;

/// Cards on a page; where more guests move, the JSON has the rest.
const MOST: usize = 24;

/// One migration that goes on.
pub struct Card {
    /// Never used again.
    pub key: Key,
    /// The guest.
    pub vm: String,
    /// `outgoing` or `incoming`.
    pub direction: String,
    /// To or from whom.
    pub route: String,
    /// Over which links.
    pub links: String,
    /// The hypervisor and what it does with the bytes, and the number of connections.
    pub kind: String,
    /// The phase.
    pub phase: String,
    /// For how long.
    pub times: String,
    /// When it ends, and how long the guest pauses.
    pub answers: [Fact; 2],
    /// What would make it end, if it does not.
    pub needs: String,
    /// Percent of the memory that is at the other end.
    pub percent: Option<f64>,
    /// How much is left.
    pub left: String,
    /// Smaller facts.
    pub facts: Vec<Fact>,
    /// What limits it, and the plots.
    pub story: Story,
}

/// The cards: those that do not end first, then from the newest on; and how many are not shown.
pub fn cards(view: &View<'_>, rows: &[Row<'_>]) -> (Vec<Card>, usize) {
    let mut on: Vec<&Row<'_>> = rows.iter().filter(|row| row.is_on()).collect();
    on.sort_by_key(|row| {
        let outlook = whole_outlook::of(view.now, row.info.0.subjects.keys()[row.info.1]);
        outlook.is_none_or(|outlook| outlook.converging != Some(false))
    });
    let hidden = on.len().saturating_sub(MOST);
    (on.into_iter().take(MOST).map(|row| card(view, row)).collect(), hidden)
}

fn card(view: &View<'_>, of: &Row<'_>) -> Card {
    let key = of.info.0.subjects.keys()[of.info.1];
    let outlook = whole_outlook::of(view.now, key);
    let progress = words::progress(of);
    let kind = [words::kind(of), words::channels(of)].into_iter().filter(|word| !word.is_empty());
    let phase = of.state("phase").unwrap_or_default();
    let (whole, now) = (words::took(of), words::phase_seconds(of, phase));
    let in_all =
        if whole - now < 1.0 { String::new() } else { format!(", {} in all", words::seconds(whole)) };
    Card {
        key,
        vm: of.label("vm").unwrap_or(words::NOTHING.into()),
        direction: of.label("direction").unwrap_or_default(),
        route: words::route(of),
        links: words::links(of),
        kind: kind.collect::<Vec<_>>().join(", "),
        phase: plain(phase),
        times: format!("for {}{in_all}", words::seconds(now)),
        answers: [outlook::end(view.now, of, outlook), outlook::pause(of, outlook)],
        needs: outlook::needs(outlook),
        percent: progress.map(|(percent, _)| percent),
        left: left(of, progress.map(|(_, left)| left)),
        facts: facts(of),
        story: Story::of(view, of),
    }
}

/// `128 MiB of 512 MiB left`.
fn left(of: &Row<'_>, left: Option<f64>) -> String {
    match (left, of.number("memory_bytes")) {
        (Some(left), Some(all)) => format!("{} of {} left", units::bytes(left), units::bytes(all)),
        (_, Some(all)) => format!("memory {}", units::bytes(all)),
        _ => String::new(),
    }
}

/// Smaller facts; those that nobody knows are left out.
fn facts(of: &Row<'_>) -> Vec<Fact> {
    let fact = |label, value: Option<f64>, write: fn(f64) -> String, note: String| {
        Some(Fact { label, value: write(value?), note, class: "" })
    };
    let limit = of.number("bandwidth_limit_bytes_per_second");
    let limit = limit.map(|limit| format!("{} allowed", units::bits_per_second(limit)));
    let facts = [
        fact(
            "throughput",
            of.number("throughput_bytes_per_second"),
            units::bits_per_second,
            limit.unwrap_or_default(),
        ),
        fact("guest dirties", words::dirty(of), units::bits_per_second, words::throttle(of)),
        fact("transferred", of.number("transferred_bytes_total"), units::bytes, String::new()),
        fact("iteration", of.number("iterations").filter(|count| *count > 0.0), units::count, String::new()),
    ];
    facts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::cards;
    use crate::output::migrations::rows;
    use crate::output::migrations::testing::{finished, frame, running};
    use crate::output::page::view::View;
    use crate::sample::frame::Frame;
    use crate::sample::outlook::Outlook;
    use crate::sample::verdict::{Part, Verdict};
    use std::collections::HashSet;

    #[test]
    fn a_card_reads_well() {
        let evidence = "ens3f0: 48 of 50 MB/s used".to_owned();
        let part = Part { cause: "ring_overflow", seconds: 1.0, share: 0.8, evidence };
        let verdict = Verdict { migration: 1, now: Some(part), phases: Vec::new() };
        let entries = [running(1, "db", 88), finished(2, "old", 10, 20)];
        let frame = Frame { verdicts: vec![verdict], ..frame(&entries) };
        let (cards, hidden) = cards(&View::new(&frame, &HashSet::new()), &rows(&frame));
        let [card] = &cards[..] else { panic!("one runs") };
        assert_eq!((&*card.vm, &*card.phase, &*card.times), ("db", "memory copy", "for 12 s"));
        assert_eq!((card.percent, &*card.left, hidden), (Some(75.0), "128 MiB of 512 MiB left", 0));
        let facts: Vec<_> = card.facts.iter().map(|fact| (fact.label, &*fact.value)).collect();
        assert_eq!(facts, [("transferred", "384 MiB"), ("iteration", "1")]);
        let limit = card.story.limit.as_ref().expect("judged");
        assert_eq!(
            (&*limit.name, &*limit.share, &*limit.commands[0]),
            ("ring overflow", "80 %", "ethtool -g ens3f0")
        );
    }

    #[test]
    fn what_does_not_end_comes_first_and_a_hundred_are_bounded() {
        let entries: Vec<_> = (1..=100).map(|key| running(key, &format!("vm{key}"), 80)).collect();
        let endless = Outlook {
            migration: 50,
            copy: None,
            pause: None,
            converging: Some(false),
            at_least: false,
            needed: None,
            scores: Vec::new(),
        };
        let frame = Frame { outlooks: vec![endless], ..frame(&entries) };
        let (cards, hidden) = cards(&View::new(&frame, &HashSet::new()), &rows(&frame));
        assert_eq!((&*cards[0].vm, cards.len(), hidden), ("vm50", 24, 76));
    }
}
