//! Text on the wire: told by what it shares with a text that both sides know, the rest letter by letter.

use super::coder::{Bit, Number, Wire};

/// No label, name or sentence is longer.
const LONGEST: usize = 1 << 20;
/// Kinds of letters that the next one depends on.
const KINDS: usize = 4;

/// What is known of texts.
#[derive(Debug, Clone)]
pub struct Texts {
    same: Bit,
    front: Number,
    back: Number,
    middle: Number,
    letters: Vec<[Bit; 256]>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            same: Bit::default(),
            front: Number::default(),
            back: Number::default(),
            middle: Number::default(),
            letters: vec![[Bit::default(); 256]; KINDS],
        }
    }
}

impl Texts {
    /// A text that is like `like`. What is read and is no UTF-8 is refused.
    pub fn text(&mut self, wire: &mut impl Wire, text: &str, like: &str) -> String {
        if !wire.bit(&mut self.same, text != like) {
            return like.to_owned();
        }
        let (new, old) = (text.as_bytes(), like.as_bytes());
        let front = new.iter().zip(old).take_while(|(a, b)| a == b).count();
        let rest = new.len().min(old.len()) - front;
        let back = new.iter().rev().zip(old.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        let front = wire.count(&mut self.front, front, old.len());
        let back = wire.count(&mut self.back, back, old.len() - front);
        let length = wire.count(&mut self.middle, new.len().saturating_sub(front + back), LONGEST);
        let mut bytes = Vec::with_capacity(front + back + length.min(4096));
        bytes.extend_from_slice(&old[..front]);
        let mut before = bytes.last().copied().unwrap_or(b'"');
        for at in 0..length {
            before = self.letter(wire, new.get(front + at).copied().unwrap_or_default(), before);
            bytes.push(before);
        }
        bytes.extend_from_slice(&old[old.len() - back..]);
        String::from_utf8(bytes).unwrap_or_else(|_| {
            wire.refuse();
            String::new()
        })
    }

    fn letter(&mut self, wire: &mut impl Wire, letter: u8, before: u8) -> u8 {
        let kind = match before {
            b'a'..=b'z' | b'_' => 0,
            b'0'..=b'9' => 1,
            b' ' | b'"' | b'=' | b',' => 2,
            _ => 3,
        };
        let mut node = 1;
        for shift in (0..8).rev() {
            let bit = wire.bit(&mut self.letters[kind][node], letter >> shift & 1 == 1);
            node = node * 2 + usize::from(bit);
        }
        node as u8
    }
}

#[cfg(test)]
mod tests {
    use super::super::coder::{Decoder, Encoder};
    use super::Texts;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn encoded(texts: &[String]) -> Vec<u8> {
        let (mut encoder, mut known, mut out) = (Encoder::default(), Texts::default(), Vec::new());
        let mut before = String::new();
        for text in texts {
            before = known.text(&mut encoder, text, &before);
        }
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn names_that_count_up_cost_a_few_bits() {
        let names: Vec<_> = (0..1000).map(|at| format!("device=\"veth{at:04}\"")).collect();
        let length = encoded(&names).len();
        assert!(length < 2000, "{length}");
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in proptest::collection::vec("[ab\\\\\"ü漢]{0,9}|.{0,40}", 0..40)) {
            let bytes = encoded(&texts);
            let (mut decoder, mut known) = (Decoder::new(&bytes).unwrap(), Texts::default());
            let mut before = String::new();
            for text in &texts {
                before = known.text(&mut decoder, "", &before);
                prop_assert_eq!(&before, text);
            }
            prop_assert!(decoder.is_sound());
        }
    }
}
