//! Things that are no tables, flattened to numbers and texts, each told by how it differs from the one in its place before.
//!
//! `Fields` goes through a thing in both directions by one description: it takes the thing apart, or puts it together.

use super::coder::{Bit, Number, Wire};
use super::schema::word;
use super::text::Texts;

/// Nothing that is flattened has more parts.
const MOST: usize = 1 << 20;

/// A thing's parts in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flat {
    numbers: Vec<u64>,
    texts: Vec<String>,
}

impl Flat {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.texts.is_empty()
    }
}

/// What is known of flat things.
#[derive(Debug, Clone, Default)]
pub struct Flats {
    same: Bit,
    counts: [Number; 2],
    differs: Bit,
    difference: Number,
    texts: Texts,
}

impl Flats {
    /// A flat thing that is like `old`.
    pub fn flat(&mut self, wire: &mut impl Wire, new: &Flat, old: &Flat) -> Flat {
        if !wire.bit(&mut self.same, new != old) {
            return old.clone();
        }
        let mut flat = Flat::default();
        let numbers = wire.count(&mut self.counts[0], new.numbers.len(), MOST);
        for at in 0..numbers {
            let before = old.numbers.get(at).copied().unwrap_or(0);
            let now = new.numbers.get(at).copied().unwrap_or(0);
            let mut number = before;
            if wire.bit(&mut self.differs, now != before) {
                let difference = wire.signed(&mut self.difference, now.wrapping_sub(before) as i64);
                number = before.wrapping_add(difference as u64);
            }
            flat.numbers.push(number);
        }
        let texts = wire.count(&mut self.counts[1], new.texts.len(), MOST);
        for at in 0..texts {
            let text = |flat: &Flat| flat.texts.get(at).map(String::as_str).unwrap_or_default().to_owned();
            let told = self.texts.text(wire, &text(new), &text(old));
            flat.texts.push(told);
        }
        flat
    }
}

/// The way through a thing: taking it apart, or putting it together.
#[derive(Debug, Default)]
pub struct Fields {
    flat: Flat,
    /// What was put together so far; `None` while a thing is taken apart.
    read: Option<(usize, usize)>,
    broken: bool,
}

impl Fields {
    /// Takes a thing apart.
    pub fn apart<T>(thing: &T, each: impl Fn(&mut Self, &T) -> T) -> Flat {
        let mut fields = Self::default();
        each(&mut fields, thing);
        fields.flat
    }

    /// Puts a thing together; `None` if the parts are not enough, or make no sense. Parts that are too many are of a later
    /// version, and left.
    pub fn together<T>(flat: Flat, blank: &T, each: impl Fn(&mut Self, &T) -> T) -> Option<T> {
        let mut fields = Self { flat, read: Some((0, 0)), broken: false };
        let thing = each(&mut fields, blank);
        (!fields.broken).then_some(thing)
    }

    /// What was taken apart.
    pub fn into_flat(self) -> Flat {
        self.flat
    }

    /// Puts a list together.
    pub fn all<T>(flat: Flat, blank: &T, each: impl Fn(&mut Self, &T) -> T) -> Option<Vec<T>> {
        let mut fields = Self { flat, read: Some((0, 0)), broken: false };
        let list = fields.list(&[], blank, each);
        (!fields.broken).then_some(list)
    }

    /// A number.
    pub fn number(&mut self, value: u64) -> u64 {
        let Some((at, _)) = &mut self.read else {
            self.flat.numbers.push(value);
            return value;
        };
        *at += 1;
        let number = self.flat.numbers.get(*at - 1).copied();
        self.broken |= number.is_none();
        number.unwrap_or(0)
    }

    /// A number of fewer bits.
    pub fn small<N: TryFrom<u64> + Default>(&mut self, value: impl Into<u64>) -> N {
        let number = self.number(value.into());
        N::try_from(number).unwrap_or_else(|_| {
            self.broken = true;
            N::default()
        })
    }

    /// Yes or no.
    pub fn flag(&mut self, value: bool) -> bool {
        self.number(u64::from(value)) == 1
    }

    /// A float.
    pub fn float(&mut self, value: f64) -> f64 {
        f64::from_bits(self.number(value.to_bits()))
    }

    /// A length of time.
    pub fn time(&mut self, value: std::time::Duration) -> std::time::Duration {
        std::time::Duration::from_nanos(self.number(value.as_nanos() as u64))
    }

    /// One of a list of words.
    pub fn one_of<T: Copy + PartialEq>(&mut self, value: T, all: &[T]) -> T {
        let place = self.number(all.iter().position(|known| *known == value).unwrap_or(0) as u64);
        all.get(place as usize).copied().unwrap_or_else(|| {
            self.broken = true;
            all[0]
        })
    }

    /// A text.
    pub fn text(&mut self, value: &str) -> String {
        let Some((_, at)) = &mut self.read else {
            self.flat.texts.push(value.to_owned());
            return String::new();
        };
        *at += 1;
        let text = self.flat.texts.get_mut(*at - 1).map(std::mem::take);
        self.broken |= text.is_none();
        text.unwrap_or_default()
    }

    /// A word of a fixed vocabulary.
    pub fn word(&mut self, value: &'static str) -> &'static str {
        let text = self.text(value);
        if self.read.is_none() {
            return value;
        }
        word(&text).unwrap_or_else(|| {
            self.broken = true;
            ""
        })
    }

    /// A thing that may be missing.
    pub fn option<T: Clone>(
        &mut self,
        value: Option<&T>,
        blank: &T,
        each: impl FnOnce(&mut Self, &T) -> T,
    ) -> Option<T> {
        let is_there = self.flag(value.is_some());
        is_there.then(|| each(self, value.unwrap_or(blank)))
    }

    /// Things one after the other.
    pub fn list<T>(&mut self, list: &[T], blank: &T, each: impl Fn(&mut Self, &T) -> T) -> Vec<T> {
        let count = self.number(list.len() as u64) as usize;
        let mut things = Vec::new();
        for at in 0..count {
            if self.broken {
                break;
            }
            things.push(each(self, list.get(at).unwrap_or(blank)));
        }
        things
    }
}
