//! What stands under a link: its bus, driver and PCI function, from /sys/class/net/NAME/device.

use crate::sample::link::Link;
use crate::source::contract::Roots;
use std::path::{Path, PathBuf};

/// Kinds of hardware that are made by rtnetlink's means and so have a kind of their own.
const HARDWARE_WITH_A_KIND: [&str; 3] = ["ipoib", "can", "wwan"];

/// Completes kind, driver, bus address and PCI function of a link that is no pure software device.
pub fn describe(link: &mut Link, roots: &Roots) {
    if !link.kind.is_empty() && !HARDWARE_WITH_A_KIND.contains(&&*link.kind) {
        return;
    }
    let device = roots.sys.join("class/net").join(&link.name).join("device");
    let place = std::fs::canonicalize(&device).ok();
    if link.kind.is_empty() {
        link.kind = if place.is_some() { "physical" } else { "virtual" }.into();
    }
    let Some(place) = place else { return };
    let hardware = link.hardware_mut();
    hardware.bus_address = last(&place);
    hardware.driver = std::fs::read_link(device.join("driver")).map(|path| last(&path)).unwrap_or_default();
    hardware.pci = pci_function(&place).map(|path| last(&path)).unwrap_or_default();
}

/// The nearest PCI function at or above a device: a virtio or vmbus device stands on one without being one.
pub fn pci_function(place: &Path) -> Option<PathBuf> {
    place.ancestors().find(|path| is_pci_address(&last(path))).map(Path::to_path_buf)
}

/// Whether a name is a PCI address: domain, bus, device, function, as in `0000:3b:00.1`.
fn is_pci_address(name: &str) -> bool {
    let parts: Vec<&str> = name.split([':', '.']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let hexadecimal = parts.iter().all(|part| part.chars().all(|c| c.is_ascii_hexdigit()));
    hexadecimal && matches!(lengths[..], [domain, 2, 2, 1] if domain >= 4)
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{is_pci_address, pci_function};
    use std::path::Path;

    #[test]
    fn the_nearest_function_is_found() {
        let place = Path::new("/sys/devices/pci0000:00/0000:00:1c.0/0000:3b:00.1/virtio3");
        assert_eq!(
            pci_function(place).as_deref(),
            Some(Path::new("/sys/devices/pci0000:00/0000:00:1c.0/0000:3b:00.1"))
        );
        assert_eq!(pci_function(Path::new("/sys/devices/platform/virtio0")), None);
        for (name, is) in
            [("0000:3b:00.1", true), ("10000:e1:00.0", true), ("pci0000:00", false), ("eth0", false)]
        {
            assert_eq!(is_pci_address(name), is, "{name}");
        }
    }
}
