//! Small plots as paths of SVG: in a box of as many columns as there are points, 100 high, stretched by the page. Steps,
//! not slopes: each is what was measured over its time.

use crate::sample::strip::{mean, MigrationStrip};
use std::fmt::Write;

/// Columns of a plot at most: more than that is finer than a phone's dots.
const COLUMNS: usize = 80;
/// Points of a link's strip that stand in one column.
const POINTS_A_COLUMN: usize = 5;
/// How high the box is.
const HEIGHT: f64 = 100.0;
/// What is drawn above the highest value, so that a line at the top is seen.
const ROOM: f64 = 1.08;

/// Rates over time.
#[derive(Debug, Default, PartialEq)]
pub struct Rates {
    /// Columns.
    pub width: usize,
    /// The filled curve.
    pub area: String,
    /// A line beside it: all traffic of the wire.
    pub line: String,
    /// How far from the top the levels are that hold it: what the link carries, what the hypervisor allows.
    pub levels: Vec<(&'static str, u32)>,
}

/// One cause's layer.
#[derive(Debug, PartialEq)]
pub struct Layer {
    /// The cause.
    pub cause: &'static str,
    /// Its filled shape.
    pub path: String,
}

/// Shares of causes over time.
#[derive(Debug, Default, PartialEq)]
pub struct Band {
    /// Columns.
    pub width: usize,
    /// The layers, from the bottom up.
    pub layers: Vec<Layer>,
}

/// A migration's rates beneath the levels that it may reach, bytes a second.
pub fn rates(strip: &MigrationStrip, levels: &[(&'static str, Option<f64>)]) -> Rates {
    let columns = |values: &[f32]| -> Vec<f32> {
        let size = values.len().div_ceil(COLUMNS).max(1);
        values.chunks(size).map(mean).collect()
    };
    let (rate, wire) = (columns(&strip.rate), columns(&strip.wire));
    let known: Vec<_> = levels.iter().filter_map(|(name, level)| Some((*name, (*level)?))).collect();
    let highest = rate.iter().chain(&wire).copied().fold(0.0, f32::max);
    let top = known.iter().map(|(_, level)| *level).fold(f64::from(highest), f64::max).max(1.0) * ROOM;
    Rates {
        width: rate.len(),
        area: path(&rate, top, true),
        line: path(&wire, top, false),
        levels: known.into_iter().map(|(name, level)| (name, height(level, top))).collect(),
    }
}

/// A link's rate, the newest at the right; `pushed` is how many points there have ever been, so that columns stay the same
/// from one page to the next. `None` if nothing has moved.
pub fn spark(points: &[f32], pushed: u64, capacity: Option<f64>, most: usize) -> Option<Rates> {
    let highest = points.iter().copied().fold(0.0, f32::max);
    if highest <= 0.0 {
        return None;
    }
    let first = (pushed - points.len() as u64) / POINTS_A_COLUMN as u64;
    let column =
        |at: usize| ((pushed - points.len() as u64 + at as u64) / POINTS_A_COLUMN as u64 - first) as usize;
    let mut columns = vec![f32::NAN; column(points.len() - 1) + 1];
    // The highest of each: what a mean would hide.
    points.iter().enumerate().for_each(|(at, point)| columns[column(at)] = columns[column(at)].max(*point));
    let width = most / POINTS_A_COLUMN + 1;
    let mut all = vec![f32::NAN; width.saturating_sub(columns.len())];
    all.extend(columns);
    let top = capacity.unwrap_or_default().max(f64::from(highest)) * ROOM;
    let levels = capacity.map(|level| ("capacity", height(level, top)));
    Some(Rates {
        width,
        area: path(&all, top, true),
        line: String::new(),
        levels: levels.into_iter().collect(),
    })
}

/// What part of the time each cause took, stacked in the order in which the causes were first seen.
pub fn band(strip: &MigrationStrip) -> Band {
    let size = strip.len().div_ceil(COLUMNS).max(1);
    let width = strip.len().div_ceil(size);
    let sums = |seconds: &Vec<f32>| -> Vec<f64> {
        seconds.chunks(size).map(|part| f64::from(part.iter().sum::<f32>())).collect()
    };
    let causes: Vec<(&str, Vec<f64>)> =
        strip.causes.iter().map(|(cause, seconds)| (*cause, sums(seconds))).collect();
    let whole: Vec<f64> =
        (0..width).map(|column| causes.iter().map(|(_, seconds)| seconds[column]).sum()).collect();
    let mut below = vec![0.0; width];
    let mut layers = Vec::new();
    for (cause, seconds) in causes {
        let above: Vec<f64> = (0..width)
            .map(|at| below[at] + if whole[at] > 0.0 { seconds[at] / whole[at] } else { 0.0 })
            .collect();
        layers.push(Layer { cause, path: layer(&below, &above) });
        below = above;
    }
    layers.retain(|layer| !layer.path.is_empty());
    Band { width, layers }
}

/// From the top, of 100.
fn height(value: f64, top: f64) -> u32 {
    (HEIGHT * (1.0 - value / top)).clamp(0.0, HEIGHT).round() as u32
}

/// Steps over the columns whose value is known, down to the ground if they are filled.
fn path(values: &[f32], top: f64, filled: bool) -> String {
    let mut out = String::new();
    let mut before = None;
    for (at, value) in values.iter().enumerate() {
        if value.is_nan() {
            end(&mut out, filled && before.take().is_some(), at);
            continue;
        }
        let y = height(f64::from(*value), top);
        match before {
            None if filled => _ = write!(out, "M{at} {HEIGHT}V{y}"),
            None => _ = write!(out, "M{at} {y}"),
            Some(old) if old == y => {}
            Some(_) => _ = write!(out, "H{at}V{y}"),
        }
        before = Some(y);
        if !filled && values.get(at + 1).is_none_or(|next| next.is_nan()) {
            let _ = write!(out, "H{}", at + 1);
            before = None;
        }
    }
    end(&mut out, filled && before.is_some(), values.len());
    out
}

/// Closes a filled shape.
fn end(out: &mut String, is_open: bool, at: usize) {
    if is_open {
        let _ = write!(out, "H{at}V{HEIGHT}Z");
    }
}

/// The shape between two stepped lines, a piece for each run of columns in which there is anything between them.
fn layer(below: &[f64], above: &[f64]) -> String {
    let y = |share: f64| height(share, 1.0);
    let is_there = |at: usize| y(below[at]) > y(above[at]);
    let mut out = String::new();
    let mut at = 0;
    while at < above.len() {
        let from = at;
        while at < above.len() && is_there(at) {
            at += 1;
        }
        if from == at {
            at += 1;
            continue;
        }
        let _ = write!(out, "M{from} {}", y(above[from]));
        for column in from + 1..at {
            if y(above[column]) != y(above[column - 1]) {
                let _ = write!(out, "H{column}V{}", y(above[column]));
            }
        }
        let _ = write!(out, "H{at}V{}", y(below[at - 1]));
        for column in (from + 1..at).rev() {
            if y(below[column]) != y(below[column - 1]) {
                let _ = write!(out, "H{column}V{}", y(below[column - 1]));
            }
        }
        let _ = write!(out, "H{from}Z");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{band, rates, spark};
    use crate::sample::monotonic::Monotonic;
    use crate::sample::strip::MigrationStrip;
    use proptest::prelude::{prop_assert, proptest};

    type Point<'a> = (f32, f32, &'a [(&'static str, f32)]);

    fn strip(points: &[Point<'_>]) -> MigrationStrip {
        let mut strip = MigrationStrip::new(1, Monotonic::default());
        for (rate, wire, causes) in points {
            causes.iter().for_each(|(cause, seconds)| strip.take(cause, *seconds));
            strip.push(*rate, *wire);
        }
        strip
    }

    #[test]
    fn steps_with_gaps_where_nothing_is_known() {
        let strip =
            strip(&[(50.0, 100.0, &[]), (50.0, 100.0, &[]), (f32::NAN, f32::NAN, &[]), (108.0, 54.0, &[])]);
        let plot = rates(&strip, &[("capacity", Some(100.0)), ("limit", None)]);
        assert_eq!(plot.width, 4);
        assert_eq!(plot.area, "M0 100V57H2V100ZM3 100V7H4V100Z");
        assert_eq!(plot.line, "M0 14H2M3 54H4");
        assert_eq!(plot.levels, [("capacity", 14)]);
    }

    #[test]
    fn a_level_that_is_not_reached_is_the_top() {
        let plot = rates(&strip(&[(50.0, f32::NAN, &[])]), &[("capacity", Some(100.0))]);
        assert_eq!((plot.levels[0].1, &*plot.area, &*plot.line), (7, "M0 100V54H1V100Z", ""));
    }

    #[test]
    fn layers_stand_on_each_other() {
        let strip = strip(&[
            (0.0, 0.0, &[("link_shared", 0.5)]),
            (0.0, 0.0, &[("link_shared", 0.125), ("sender_cpu", 0.375)]),
            (0.0, 0.0, &[]),
            (0.0, 0.0, &[("sender_cpu", 0.5)]),
        ]);
        let band = band(&strip);
        let layers: Vec<_> = band.layers.iter().map(|layer| (layer.cause, &*layer.path)).collect();
        let shared = "M0 0H1V75H2V100H0Z";
        assert_eq!(layers, [("link_shared", shared), ("sender_cpu", "M1 0H2V75H1ZM3 0H4V100H3Z")]);
        assert_eq!(band.width, 4);
    }

    #[test]
    fn a_link_that_is_idle_has_no_spark_and_columns_do_not_change_their_points() {
        assert_eq!(spark(&[0.0; 7], 7, Some(100.0), 300), None);
        let plot = spark(&[10.0, 20.0, 30.0, 40.0], 8, None, 10).expect("moved");
        // Of points 4 to 7 one belongs to the first column and three to the second.
        assert_eq!(plot.width, 3);
        assert_eq!(plot.area, "M1 100V77H2V7H3V100Z");
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside_of_the_box(
            points in proptest::collection::vec((0.0_f32..2e10, 0.0_f32..2.0, 0.0_f32..2.0), 1..500)
        ) {
            let mut strip = MigrationStrip::new(1, Monotonic::default());
            for (rate, a, b) in &points {
                strip.take("sender_cpu", *a);
                strip.take("unknown", *b);
                strip.push(*rate, rate * 2.0);
            }
            let (plot, band) = (rates(&strip, &[("capacity", Some(1e9))]), band(&strip));
            let paths = band.layers.iter().map(|layer| &layer.path).chain([&plot.area, &plot.line]);
            for path in paths {
                let numbers = path.split(|c: char| !c.is_ascii_digit() && c != '-' && c != '.');
                for number in numbers.filter(|number| !number.is_empty()) {
                    let number: f64 = number.parse().expect("a number");
                    prop_assert!((0.0..=100.0).contains(&number), "{path}");
                }
            }
            prop_assert!(plot.width <= 80 && band.width == plot.width);
        }
    }
}
