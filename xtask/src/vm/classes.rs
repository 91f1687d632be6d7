//! Classes as `tc -s class show` prints them. As JSON it prints none of their statistics (iproute2 6.1).

/// One class of a classful qdisc. `None` where tc does not say.
#[derive(Debug, Default, PartialEq)]
pub struct Class {
    /// `MAJOR:MINOR`.
    pub handle: String,
    /// Bytes a second that it is assured of.
    pub rate: Option<f64>,
    /// Bytes a second that it may borrow up to.
    pub ceil: Option<f64>,
    /// Bytes that passed.
    pub bytes: Option<f64>,
    /// Packets that passed.
    pub packets: Option<f64>,
    /// Packets dropped.
    pub drops: Option<f64>,
    /// Times that it had to wait.
    pub overlimits: Option<f64>,
    /// Packets put back.
    pub requeues: Option<f64>,
    /// Packets that wait.
    pub backlog_packets: Option<f64>,
}

/// All classes of a text.
pub fn parse(text: &str) -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split([' ', '(', ')', ',']).filter(|word| !word.is_empty()).collect();
        let after =
            |name| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1).copied());
        let count = |name| after(name).and_then(|word: &str| word.parse().ok());
        if let ["class", _, handle, ..] = words[..] {
            let (rate, ceil) = (after("rate").and_then(rate), after("ceil").and_then(rate));
            classes.push(Class { handle: handle.to_owned(), rate, ceil, ..Class::default() });
        } else if let Some(class) = classes.last_mut() {
            match words[..] {
                ["Sent", bytes, "bytes", packets, ..] => {
                    (class.bytes, class.packets) = (bytes.parse().ok(), packets.parse().ok());
                    class.drops = count("dropped");
                    (class.overlimits, class.requeues) = (count("overlimits"), count("requeues"));
                }
                ["backlog", _, packets, ..] => {
                    class.backlog_packets = packets.strip_suffix('p').and_then(|count| count.parse().ok());
                }
                _ => {}
            }
        }
    }
    classes
}

/// A rate such as `30Mbit` in bytes a second.
fn rate(text: &str) -> Option<f64> {
    let number = text.strip_suffix("bit")?;
    let (number, scale) = match number.chars().last()? {
        'K' => (number.trim_end_matches('K'), 1e3),
        'M' => (number.trim_end_matches('M'), 1e6),
        'G' => (number.trim_end_matches('G'), 1e9),
        _ => (number, 1.0),
    };
    Some(number.parse::<f64>().ok()? * scale / 8.0)
}

#[cfg(test)]
mod tests {
    use super::{parse, Class};

    #[test]
    fn a_class_as_tc_prints_it() {
        let text = "class htb 2:10 parent 2:1 leaf 10: prio 0 rate 30Mbit ceil 800bit burst 1593b cburst 1600b \n \
                    Sent 42 bytes 3 pkt (dropped 1, overlimits 5 requeues 2) \n backlog 3028b 4p requeues 2\n \
                    lended: 0 borrowed: 0 giants: 0\n tokens: 6656 ctokens: 2000\n\n";
        let expected = Class {
            handle: "2:10".to_owned(),
            rate: Some(3_750_000.0),
            ceil: Some(100.0),
            bytes: Some(42.0),
            packets: Some(3.0),
            drops: Some(1.0),
            overlimits: Some(5.0),
            requeues: Some(2.0),
            backlog_packets: Some(4.0),
        };
        assert_eq!(parse(text), [expected]);
    }
}
