//! What a hypervisor's command line tells of its guest. Pure.
//!
//! QEMU's options are lists of `key=value` with commas; a comma inside a value is written twice (`qemu_opts_parse`).

use std::path::PathBuf;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `-name guest=…`.
    pub name: Option<String>,
    /// `-uuid`, lower case.
    pub uuid: Option<String>,
    /// `-m`, bytes.
    pub memory: Option<u64>,
    /// `-incoming` with anything.
    pub incoming: bool,
    /// Paths of QMP server sockets, in the order of the line.
    pub monitors: Vec<PathBuf>,
}

/// Reads QEMU's words.
pub fn qemu(words: &[String]) -> Told {
    let mut told = Told::default();
    let mut control: Vec<&str> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(value) = words.get(at + 1).map(String::as_str) else { continue };
        // QEMU takes its options with one dash or two.
        match word.strip_prefix('-').map(|word| word.trim_start_matches('-')) {
            Some("name") => told.name = option(value, "guest"),
            Some("uuid") => told.uuid = Some(value.to_ascii_lowercase()),
            Some("m") => told.memory = option(value, "size").and_then(|size| memory(&size)),
            Some("incoming") => told.incoming = true,
            Some("qmp" | "qmp-pretty") => told.monitors.extend(socket(value)),
            Some("mon") if option(value, "mode").as_deref() == Some("control") => control.push(value),
            _ => {}
        }
    }
    for monitor in control {
        let Some(id) = option(monitor, "chardev") else { continue };
        told.monitors.extend(chardev(words, &id));
    }
    told
}

/// Reads Cloud Hypervisor's words: it tells memory only.
pub fn cloud_hypervisor(words: &[String]) -> Told {
    let after = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    Told { memory: after("--memory").and_then(|value| memory(&option(value, "size")?)), ..Told::default() }
}

/// The path of a chardev that is a listening Unix socket.
fn chardev(words: &[String], id: &str) -> Option<PathBuf> {
    let mut pairs = words.windows(2).filter(|pair| pair[0].trim_start_matches('-') == "chardev");
    let value = pairs.find_map(|pair| (option(&pair[1], "id").as_deref() == Some(id)).then_some(&pair[1]))?;
    let path = option(value, "path").filter(|_| value.starts_with("socket,") && is_server(value))?;
    Some(path.into())
}

/// The path of `unix:PATH,server…`.
fn socket(value: &str) -> Option<PathBuf> {
    let path = value.strip_prefix("unix:").filter(|_| is_server(value))?;
    parts(path).into_iter().next().map(|path| path.strip_prefix("path=").unwrap_or(&path).into())
}

/// `server`, `server=on`; a client monitor connects to its manager and is not ours.
fn is_server(value: &str) -> bool {
    parts(value).iter().any(|part| matches!(part.as_str(), "server" | "server=on" | "server=yes"))
}

/// A key's value; the first part may stand without its key.
fn option(value: &str, key: &str) -> Option<String> {
    let parts = parts(value);
    let named = parts.iter().find_map(|part| part.split_once('=').filter(|(name, _)| *name == key));
    let first =
        parts.first().filter(|part| !part.contains('=') && matches!(key, "guest" | "size" | "chardev"));
    named.map(|(_, value)| value.to_owned()).or_else(|| first.cloned())
}

/// The parts of an option list; two commas are one comma of a value.
fn parts(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            (',', Some(part)) if characters.peek() == Some(&',') => {
                characters.next();
                part.push(',');
            }
            (',', _) => parts.push(String::new()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    parts
}

/// A size as QEMU writes it: a number of MiB, or with one of the suffixes B, K, M, G, T.
fn memory(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let shift = match text[digits..].chars().next().map(|c| c.to_ascii_lowercase()) {
        None | Some('m') => 20,
        Some('b') => 0,
        Some('k') => 10,
        Some('g') => 30,
        Some('t') => 40,
        Some(_) => return None,
    };
    Some(
        (number * f64::from(1u32 << (shift % 30)) * if shift >= 30 { f64::from(1u32 << 30) } else { 1.0 })
            as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::{cloud_hypervisor, memory, qemu, Told};
    use proptest::prelude::{any, prop_assert, proptest};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_line_of_libvirt() {
        let line = "/usr/bin/qemu-system-x86_64 -name guest=web,,1,debug-threads=on -m size=4194304k,slots=16,maxmem=8G \
            -uuid AAAAAAAA-0000-4000-8000-000000000001 -chardev socket,id=charmonitor,fd=31,server=on,wait=off \
            -mon chardev=charmonitor,id=monitor,mode=control -incoming defer";
        let told = qemu(&words(line));
        assert_eq!(
            told,
            Told {
                name: Some("web,1".into()),
                uuid: Some("aaaaaaaa-0000-4000-8000-000000000001".into()),
                memory: Some(4 << 30),
                incoming: true,
                monitors: Vec::new(),
            }
        );
    }

    #[test]
    fn lines_of_proxmox_and_of_hand() {
        let told = qemu(&words(
            "/usr/bin/kvm -id 100 -name db,debug-threads=on -chardev socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off \
             -mon chardev=qmp,mode=control -chardev socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5 -mon chardev=qmp-event,mode=control -m 2048",
        ));
        assert_eq!(told.monitors, [std::path::PathBuf::from("/var/run/qemu-server/100.qmp")]);
        assert_eq!((told.name.as_deref(), told.memory), (Some("db"), Some(2 << 30)));
        let told = qemu(&words(
            "qemu-system-x86_64 --qmp unix:/tmp/a.qmp,server,nowait -qmp tcp:127.0.0.1:4444,server -m 0.5G",
        ));
        assert_eq!(told.monitors, [std::path::PathBuf::from("/tmp/a.qmp")]);
        assert_eq!(told.memory, Some(512 << 20));
        assert_eq!(
            cloud_hypervisor(&words("cloud-hypervisor --memory size=1G,shared=on")).memory,
            Some(1 << 30)
        );
        assert_eq!(memory("1T"), Some(1 << 40));
    }

    proptest! {
        #[test]
        fn any_words_are_survived(words in proptest::collection::vec(any::<String>(), 0..12)) {
            let told = qemu(&words);
            prop_assert!(told.monitors.len() <= words.len());
        }
    }
}
