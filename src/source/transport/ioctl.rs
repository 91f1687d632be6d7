//! `ioctl(SIOCETHTOOL)`: a driver's name and its own statistics, which netlink does not give.
//!
//! The one module of this house with `unsafe`. The kernel decides how much it writes: ETHTOOL_GSTRINGS and
//! ETHTOOL_GSTATS write as many entries as the driver has at that moment, whatever size the caller states (kernels
//! before 6.19; net/core/ethtool ioctl.c, `ethtool_get_stats`), and drivers change that number when their channels
//! change. So the memory that is handed over ends at a page without access: a driver that has grown meanwhile gets
//! EFAULT from the kernel instead of overwriting what lies behind.
#![allow(unsafe_code)] // There is no safe interface to this ioctl; each block says why it is sound.

use rustix::net::{socket_with, AddressFamily, SocketFlags, SocketType};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

/// `SIOCETHTOOL` (include/uapi/linux/sockios.h) and its commands (include/uapi/linux/ethtool.h).
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETH_SS_STATS: u32 = 1;
/// `ETH_GSTRING_LEN`.
const NAME: usize = 32;
/// `sizeof(struct ethtool_drvinfo)`: command, five texts, five numbers.
const DRIVER_INFO: usize = 196;
/// `sizeof(struct ethtool_gstrings)`: command, string set, length.
const STRINGS_HEADER: usize = 12;
/// `sizeof(struct ethtool_stats)`: command, length.
const STATISTICS_HEADER: usize = 8;
/// The largest page of the architectures that hosts have (arm64), and so a multiple of all others.
const PAGE: usize = 64 * 1024;
/// How often names are asked for again when their number changes between two questions.
const TRIES: u32 = 3;

/// A socket for ethtool's ioctl and the memory for its answers.
#[derive(Debug)]
pub struct EthtoolIoctl {
    socket: OwnedFd,
    memory: GuardedMemory,
}

impl EthtoolIoctl {
    /// Opens a socket in the network namespace of the thread. Nothing asked here needs a privilege.
    pub fn open() -> Result<Self> {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, memory: GuardedMemory::new(1)? })
    }

    /// The driver's name for itself (`ethtool -i`); ENODEV if the device has gone.
    pub fn driver(&mut self, device: &str) -> Result<String> {
        self.ask(device, &[ETHTOOL_GDRVINFO], DRIVER_INFO)?;
        Ok(super::message::text(&self.memory.bytes()[4..4 + NAME]))
    }

    /// The names of the driver's statistics in their order (`ethtool -S`), empty if it has none.
    pub fn statistic_names(&mut self, device: &str) -> Result<Vec<String>> {
        for _ in 0..TRIES {
            let count = self.count(device)?;
            if count == 0 {
                return Ok(Vec::new());
            }
            let size = STRINGS_HEADER + count * NAME;
            match self.ask(device, &[ETHTOOL_GSTRINGS, ETH_SS_STATS, count as u32], size) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::EFAULT) => continue,
                Err(error) => return Err(error),
            }
            let bytes = self.memory.bytes();
            if super::message::u32_at(bytes, 8) == Some(count as u32) {
                let names = bytes[STRINGS_HEADER..size].chunks_exact(NAME);
                return Ok(names.map(super::message::text).collect());
            }
        }
        Err(Error::new(ErrorKind::Interrupted, "the number of statistics changed at every question"))
    }

    /// The driver's statistics, in the order of their names. `false` if their number is no longer `expected`: then
    /// the names have to be read again, and `values` is empty.
    pub fn statistics(&mut self, device: &str, expected: usize, values: &mut Vec<u64>) -> Result<bool> {
        values.clear();
        let size = STATISTICS_HEADER + expected * 8;
        match self.ask(device, &[ETHTOOL_GSTATS, expected as u32], size) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => return Ok(false),
            Err(error) => return Err(error),
        }
        let bytes = self.memory.bytes();
        if super::message::u32_at(bytes, 4) != Some(expected as u32) {
            return Ok(false);
        }
        let (numbers, _) = bytes[STATISTICS_HEADER..size].as_chunks::<8>();
        values.extend(numbers.iter().map(|number| u64::from_ne_bytes(*number)));
        Ok(true)
    }

    /// How many statistics the driver has now.
    fn count(&mut self, device: &str) -> Result<usize> {
        // `struct ethtool_sset_info`: command, reserved, a mask of 64 bits, then a count for each bit that is set.
        let mask = (1u64 << ETH_SS_STATS).to_ne_bytes();
        let [low, high] = [0, 4].map(|at| super::message::u32_at(&mask, at).unwrap_or(0));
        self.ask(device, &[ETHTOOL_GSSET_INFO, 0, low, high, 0], 20)?;
        let bytes = self.memory.bytes();
        if super::message::u64_at(bytes, 8) == Some(0) {
            return Ok(0);
        }
        Ok(super::message::u32_at(bytes, 16).unwrap_or(0) as usize)
    }

    /// Puts the question's first words into the memory, makes room for an answer of `size` bytes, and asks.
    fn ask(&mut self, device: &str, question: &[u32], size: usize) -> Result<()> {
        if self.memory.bytes().len() < size {
            self.memory = GuardedMemory::new(size)?;
        }
        let (words, _) = self.memory.bytes_mut().as_chunks_mut::<4>();
        for (word, value) in words.iter_mut().zip(question) {
            *word = value.to_ne_bytes();
        }
        let mut request = interface_request(device)?;
        request.ifr_ifru.ifru_data = self.memory.start.as_ptr().cast();
        // SAFETY: the descriptor is an open socket; `request` is a whole `ifreq` whose data points to `memory`, which
        // is borrowed for the call by `&mut self`, holds the question, and ends at a page where the kernel's writes
        // fail. The kernel keeps neither pointer after the call.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
        if result < 0 {
            return Err(Error::last_os_error());
        }
        Ok(())
    }
}

/// An `ifreq` for a device; `ENODEV` for a name that no device can have.
fn interface_request(device: &str) -> Result<libc::ifreq> {
    // SAFETY: `ifreq` is a C structure of bytes, integers and pointers; all zeros is a value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if device.len() >= request.ifr_name.len() {
        return Err(Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

/// Whole pages of memory with a page without access behind them.
#[derive(Debug)]
struct GuardedMemory {
    start: NonNull<u8>,
    /// Bytes that may be used; the mapping is one page longer.
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and is bound to no thread.
unsafe impl Send for GuardedMemory {}

impl GuardedMemory {
    /// At least so many bytes, all zero.
    fn new(size: usize) -> Result<Self> {
        let length = size.max(1).next_multiple_of(PAGE);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(std::ptr::null_mut(), length + PAGE, access, flags, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(ErrorKind::OutOfMemory)?;
        let memory = Self { start, length };
        // SAFETY: the last page lies inside the mapping that was just made, and nothing refers to it.
        let result = unsafe { libc::mprotect(start.as_ptr().add(length).cast(), PAGE, libc::PROT_NONE) };
        if result < 0 {
            return Err(Error::last_os_error());
        }
        Ok(memory)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes from `start` on are mapped, readable and initialised (anonymous pages are zero)
        // while `self` lives, and are written only through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for GuardedMemory {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; no reference outlives `self`. A failure leaks pages and nothing else.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.length + PAGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EthtoolIoctl, GuardedMemory};
    use std::io::Read;

    #[test]
    fn memory_can_be_used_to_its_last_byte_and_not_beyond() {
        let mut memory = GuardedMemory::new(5000).expect("memory");
        assert_eq!(memory.length % super::PAGE, 0);
        assert!(memory.length >= 5000 && memory.bytes().iter().all(|byte| *byte == 0));
        let last = memory.length - 1;
        memory.bytes_mut()[last] = 7;
        assert_eq!(memory.bytes()[last], 7);
    }

    #[test]
    fn the_kernel_cannot_write_beyond_it() {
        let memory = GuardedMemory::new(1).expect("memory");
        let zeros = std::fs::File::open("/dev/zero").expect("every system has it");
        // SAFETY: the range is not read or written by this program: the kernel is asked to, and has to refuse.
        let result = unsafe {
            let into = memory.start.as_ptr().add(memory.length - 8);
            libc::read(std::os::fd::AsRawFd::as_raw_fd(&zeros), into.cast(), 8 + super::PAGE)
        };
        let error = std::io::Error::last_os_error();
        assert!(result <= 8, "{result} bytes went past the end");
        assert!(result >= 0 || error.raw_os_error() == Some(libc::EFAULT), "{error}");
        let mut one = [1];
        (&zeros).read_exact(&mut one).expect("the file is still good");
    }

    #[test]
    fn the_loopback_has_no_statistics_and_nothing_has_no_device() {
        let mut ioctl = EthtoolIoctl::open().expect("a socket");
        let mut values = vec![1];
        assert!(ioctl.statistic_names("lo").is_ok_and(|names| names.is_empty()));
        let error = ioctl.statistics("lo", 0, &mut values).expect_err("no statistics");
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        for name in ["miglink-none", "a name that is far too long"] {
            let error = ioctl.driver(name).expect_err("no such device");
            assert_eq!(error.raw_os_error(), Some(libc::ENODEV), "{name}");
        }
    }
}
