//! The guest: a boot sector (guest/guest.S) that fills its memory, says `R` on its serial line, then dirties one byte
//! a page over its working set, again and again, at a chosen pace. What it is to do is written into it here.

use crate::scenario::{Pattern, Vm};
use crate::units::{Rate, Size};
use anyhow::{Context, Result};

/// Assembled from guest/guest.S; a test holds the two together.
pub const BOOT_SECTOR: &[u8; 512] = include_bytes!("../guest/guest.bin");

/// Where it counts its writes, 32 bits, in its memory: the BIOS puts a boot sector at 0x7c00.
pub const WRITTEN: u64 = 0x7c00 + 492;
/// Where the byte is that makes it write here and there.
const SCATTERED: usize = 508;
/// Where the byte is that leaves pages zero: so many of sixteen, above the working set.
const ZEROS: usize = 509;
/// Where the three words are: end of what is filled, end of what is dirtied, pause after each page in TSC ticks.
const WORDS: usize = 496;
/// Memory is filled and dirtied from here on.
pub const START: u64 = 1 << 20;
/// Bytes a page.
pub const PAGE: u64 = 4096;
/// A 1.44 MB floppy: the smallest image that QEMU's floppy drive takes as it is.
const FLOPPY: usize = 1_474_560;

/// The image to boot from. `pause` is in ticks of the time stamp counter, 0 for as fast as it can.
pub fn image(vm: &Vm, fill: Size, pause: u32) -> Vec<u8> {
    let mut image = BOOT_SECTOR.to_vec();
    for (at, word) in [fill.0 as u32, vm.dirty.0 as u32, pause].into_iter().enumerate() {
        let at = WORDS + 4 * at;
        image[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    image[SCATTERED] = u8::from(vm.pattern == Pattern::Random);
    image[ZEROS] = vm.zeros;
    image.resize(FLOPPY, 0);
    image
}

/// The pause after each page that gives a rate of dirtied memory. The counter's pace must be known; the page's own
/// work (some hundred nanoseconds under emulation) is not counted, so fast rates come out lower. The lab measures what
/// the guest really does and reports that.
pub fn pause_ticks(rate: Option<Rate>, ticks_per_second: f64) -> u32 {
    let Some(bytes) = rate.and_then(Rate::bytes) else { return 0 };
    let ticks = ticks_per_second * PAGE as f64 / bytes as f64;
    ticks.min(f64::from(u32::MAX / 2)) as u32
}

/// Ticks of the time stamp counter a second, which an emulated guest sees as it is: the processor's nominal clock.
/// Processors of the last fifteen years count at that pace whatever their clock does.
pub fn ticks_per_second() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("cpu MHz")).context("no clock in /proc/cpuinfo")?;
    let megahertz: f64 = line.rsplit(' ').next().unwrap_or_default().parse().context(line.to_owned())?;
    Ok(megahertz * 1e6)
}

#[cfg(test)]
mod tests {
    use super::{image, pause_ticks, BOOT_SECTOR, FLOPPY};
    use crate::scenario::{Pattern, Vm};
    use crate::units::{Rate, Size};
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn the_words_are_set_and_nothing_else() {
        let (memory, dirty) = (Size(256 << 20), Size(32 << 20));
        let vm = Vm { memory, fill: None, dirty, dirty_rate: None, pattern: Pattern::Sweep, zeros: 0 };
        let image = image(&vm, Size(240 << 20), 500_000);
        assert_eq!(image.len(), FLOPPY);
        assert_eq!(image[496..508], [0, 0, 0, 0x0f, 0, 0, 0, 0x02, 0x20, 0xa1, 0x07, 0]);
        assert_eq!(image[..496], BOOT_SECTOR[..496]);
        let other = super::image(&Vm { pattern: Pattern::Random, zeros: 4, ..vm }, Size(240 << 20), 500_000);
        assert_eq!((&image[508..510], &other[508..510]), (&[0, 0][..], &[1, 4][..]));
        assert_eq!(image[508..512], BOOT_SECTOR[508..]);
        assert_eq!(image[510..512], [0x55, 0xaa], "the BIOS boots only what ends so");
    }

    #[test]
    fn a_pace_is_ticks_a_page() {
        assert_eq!(pause_ticks(Some(Rate::Bytes(50 << 20)), 2.56e9), 200_000);
        assert_eq!(pause_ticks(Some(Rate::Unlimited), 2.56e9), 0);
        assert_eq!(pause_ticks(None, 2.56e9), 0);
        assert_eq!(pause_ticks(Some(Rate::Bytes(1)), 2.56e9), u32::MAX / 2, "the guest compares 32 bits");
    }

    /// Runs a tool of the C toolchain; `None` where there is none, or it cannot make 32-bit code.
    fn tool(words: &str) -> Option<()> {
        let words: Vec<&str> = words.split(' ').collect();
        Command::new(words[0])
            .args(&words[1..])
            .output()
            .is_ok_and(|output| output.status.success())
            .then_some(())
    }

    #[test]
    fn the_boot_sector_is_what_its_source_says() {
        let folder = tempfile::tempdir().unwrap();
        let (object, bytes) = (folder.path().join("guest.o"), folder.path().join("guest.bin"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/guest/guest.S");
        let made = tool(&format!("gcc -m32 -c -o {} {source}", object.display())).and_then(|()| {
            let flags = "-m elf_i386 -Ttext 0x7c00 --oformat binary";
            tool(&format!("ld {flags} -o {} {}", bytes.display(), object.display()))
        });
        if made.is_none() {
            writeln!(std::io::stdout(), "SKIPPED the boot sector's source: gcc -m32 and ld are needed")
                .unwrap();
            return;
        }
        assert_eq!(std::fs::read(bytes).unwrap(), BOOT_SECTOR);
    }
}
