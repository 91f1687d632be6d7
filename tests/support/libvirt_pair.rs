//! Two real libvirtd on one machine, each in namespaces of its own (network, mounts, host name, processes), joined by
//! a shaped veth, and a tiny guest that they migrate. The process namespace ends with its first process, and all that
//! runs in it: nothing stays behind, not even after a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The guest's UUID.
pub const UUID: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// The boot sector of lab/guest/guest.S.
const GUEST: &[u8] = include_bytes!("../../lab/guest/guest.bin");
/// What the pair needs.
const TOOLS: [&str; 6] = ["libvirtd", "virsh", "qemu-system-x86_64", "ip", "tc", "unshare"];
/// Files of each libvirtd, and where it looks for them.
const BINDS: [(&str, &str); 6] = [
    ("etc", "/etc/libvirt"),
    ("lib", "/var/lib/libvirt"),
    ("log", "/var/log/libvirt"),
    ("../cache", "/var/cache/libvirt"),
    ("passwd", "/etc/passwd"),
    ("group", "/etc/group"),
];

/// Why the pair cannot be made here, if it cannot.
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root".into());
    }
    // Root of a user namespace may not become other users, as libvirtd wants to.
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if users.split_whitespace().nth(2) != Some("4294967295") {
        return Some("needs root outside of user namespaces".into());
    }
    let found = |tool: &&str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output()
            .is_ok_and(|o| o.status.success())
    };
    TOOLS.iter().find(|tool| !found(tool)).map(|tool| format!("needs {tool}"))
}

/// Both of them.
pub struct Pair {
    /// The first, where the guest is started.
    pub a: Host,
    /// The second.
    pub b: Host,
    folder: tempfile::TempDir,
}

/// One libvirtd and the namespaces that it lives in.
pub struct Host {
    folder: PathBuf,
    address: String,
    /// `unshare`, which keeps the namespaces.
    keeper: Child,
    daemon: Option<Child>,
}

impl Pair {
    /// Starts both and waits until they answer. What they learn of QEMU is kept from one run to the next.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lvt").tempdir().expect("a folder");
        open_to_all(folder.path());
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libvirt-cache");
        fs::create_dir_all(&cache).expect("a cache");
        std::os::unix::fs::symlink(cache, folder.path().join("cache")).expect("a link");
        write_guest(folder.path());
        let (mut a, mut b) = (Host::new(folder.path(), 1), Host::new(folder.path(), 2));
        super::run(&format!(
            "ip link add lvt1 netns {} type veth peer name lvt2 netns {}",
            a.keeper.id(),
            b.keeper.id()
        ));
        for host in [&mut a, &mut b] {
            host.start_network();
            host.start_daemon();
        }
        // The first question after the list makes libvirtd ask QEMU what it can, which takes seconds.
        let probes = [&a, &b].map(|host| host.virsh_command(&["version"]).spawn().expect("virsh"));
        for mut probe in probes {
            assert!(probe.wait().expect("virsh").success());
        }
        Self { a, b, folder }
    }

    /// A folder that every user may look into.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the guest on the first, and waits until it has filled its memory.
    pub fn start_guest(&self) {
        let file = self.folder.path().join("vm.xml");
        self.a.virsh(&["create", &file.display().to_string()]);
        let serial = self.a.folder.join("log/serial.txt");
        super::wait_until("the guest", Duration::from_secs(60), || {
            fs::read(&serial).is_ok_and(|text| text.contains(&b'R'))
        });
    }
}

/// Read-only users are to reach the sockets.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// The floppy that the guest starts from, and its description.
fn write_guest(folder: &Path) {
    let mut image = GUEST.to_vec();
    // Filled up to 100 MiB, of which 8 are dirtied, slowly enough to converge.
    for (at, value) in [(496, 100u32 << 20), (500, 8 << 20), (504, 500_000)] {
        image[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    image.resize(1_474_560, 0);
    fs::write(folder.join("guest.img"), image).expect("an image");
    let xml = format!(
        "<domain type='qemu'><name>vm</name><uuid>{UUID}</uuid>
        <memory unit='MiB'>112</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>
        <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
        <disk type='file' device='floppy'><driver name='qemu' type='raw'/>
        <source file='{}/guest.img'/><target dev='fda' bus='fdc'/><readonly/></disk>
        <controller type='usb' model='none'/><memballoon model='none'/>
        <serial type='file'><source path='/var/log/libvirt/serial.txt'/><target port='0'/></serial>
        </devices></domain>",
        folder.display()
    );
    fs::write(folder.join("vm.xml"), xml).expect("a description");
}

impl Host {
    fn new(parent: &Path, number: u8) -> Self {
        let folder = parent.join(number.to_string());
        for part in ["etc", "lib", "log", "sock"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        let address = format!("10.78.0.{number}");
        write_settings(&folder, number, &address);
        let binds = BINDS.map(|(from, to)| format!("mount --bind {}/{from} {to}", folder.display()));
        // What libvirtd wants in /var and /run, without a trace on the host. The shell stays, as the first process:
        // it reaps QEMU, for whose end libvirtd waits.
        let script = format!(
            "set -e\nhostname lvt{number}\nmount -t tmpfs tmpfs /var\nmount -t tmpfs tmpfs /run\nln -s /run /var/run\n\
             mkdir -p /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /var/tmp\n{}\n\
             mkdir {}/ready\nsleep 300 & wait\n",
            binds.join("\n"),
            folder.display()
        );
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--uts", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "sh", "-c", &script])
            .spawn()
            .expect("unshare");
        let host = Self { folder, address, keeper, daemon: None };
        super::wait_until("the namespaces", Duration::from_secs(10), || host.folder.join("ready").exists());
        host
    }

    /// A command in its namespaces.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let keeper = self.keeper.id();
        let mut command = Command::new("nsenter");
        command.args(["-t", &keeper.to_string(), "--net", "--mount", "--uts"]);
        command.arg(format!("--pid=/proc/{keeper}/ns/pid_for_children")).arg(program).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command in its namespaces; says whether it did well.
    pub fn try_run(&self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.command(words[0], &words[1..]).status().is_ok_and(|status| status.success())
    }

    fn start_network(&self) {
        let device = format!("lvt{}", self.address.rsplit('.').next().expect("a number"));
        for line in [
            "ip link set lo up".to_owned(),
            format!("ip addr add {}/24 dev {device}", self.address),
            format!("ip link set {device} up"),
            format!("tc qdisc add dev {device} root tbf rate 300mbit burst 256k latency 20ms"),
        ] {
            assert!(self.try_run(&line), "{line}");
        }
    }

    /// Starts its libvirtd and waits until it answers.
    pub fn start_daemon(&mut self) {
        let pid_file = self.folder.join("libvirtd.pid").display().to_string();
        let output = fs::File::create(self.folder.join("log/output")).expect("a file");
        let mut command = self.command("libvirtd", &["--listen", "--pid-file", &pid_file]);
        command.stdout(Stdio::null()).stderr(output);
        self.daemon = Some(command.spawn().expect("libvirtd"));
        super::wait_until("libvirtd", Duration::from_secs(30), || {
            self.virsh_command(&["list"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        });
    }

    /// Sends its libvirtd a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.folder.join("libvirtd.pid")).expect("its pid");
        assert!(self.try_run(&format!("kill -{name} {}", pid.trim())));
    }

    /// Ends its libvirtd at once; its guests live on.
    pub fn kill_daemon(&mut self) {
        self.signal("KILL");
        // nsenter stops when its child is stopped, and would wait to be continued.
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.kill().expect("nsenter");
        daemon.wait().expect("nsenter");
        let pid = fs::read_to_string(self.folder.join("libvirtd.pid")).expect("its pid");
        let gone = format!("test ! -e /proc/{}", pid.trim());
        super::wait_until("end of libvirtd", Duration::from_secs(10), || self.try_run(&gone));
    }

    /// Its read-only socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("sock/libvirt-sock-ro")
    }

    fn virsh_command(&self, arguments: &[&str]) -> Command {
        let socket = self.folder.join("sock/libvirt-sock");
        let address = format!("qemu:///system?socket={}", socket.display());
        // In its namespaces, because a migration that virsh itself drives talks to the other daemon from there.
        let mut command = self.command("virsh", &["-q", "-c", &address]);
        command.args(arguments).stdout(Stdio::null());
        command
    }

    /// Runs virsh on it.
    pub fn virsh(&self, arguments: &[&str]) {
        assert!(self.virsh_command(arguments).status().expect("virsh").success(), "virsh {arguments:?}");
    }

    /// What virsh says on it.
    pub fn virsh_output(&self, arguments: &[&str]) -> String {
        let output = self.virsh_command(arguments).stdout(Stdio::piped()).output().expect("virsh");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What its libvirtd complained about.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log/libvirtd.log")).expect("its log")
    }

    /// Begins to migrate the guest from here.
    pub fn migrate(&self, to: &Host, flags: &[&str]) -> Child {
        let target = format!("qemu+tcp://{}/system", to.address);
        let arguments = [&["migrate", "--live"], flags, &["vm", &target]].concat();
        self.virsh_command(&arguments).stderr(Stdio::null()).spawn().expect("virsh")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its child is the first process of the process namespace: the kernel ends the rest.
        self.keeper.kill().ok();
        self.keeper.wait().ok();
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().ok();
            daemon.wait().ok();
        }
        if std::thread::panicking() {
            for log in ["log/output", "log/libvirtd.log", "log/qemu/vm.log"] {
                let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
                eprintln!("--- {}/{log}\n{text}", self.folder.display());
            }
        }
    }
}

fn write_settings(folder: &Path, number: u8, address: &str) {
    let daemon = format!(
        "listen_tls = 0\nlisten_tcp = 1\nlisten_addr = \"{address}\"\nauth_tcp = \"none\"\n\
         auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\nunix_sock_dir = \"{0}/sock\"\n\
         unix_sock_ro_perms = \"0777\"\nunix_sock_rw_perms = \"0700\"\n\
         host_uuid = \"0000000{number}-1111-4222-8333-00000000000{number}\"\n\
         log_outputs = \"3:file:/var/log/libvirt/libvirtd.log\"\n",
        folder.display()
    );
    let qemu = format!(
        "user = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\nremember_owner = 0\n\
         security_driver = \"none\"\ncgroup_controllers = []\nnamespaces = []\nstdio_handler = \"file\"\n\
         migration_host = \"{address}\"\n"
    );
    // The QEMU driver looks for its own user and group before it reads that it shall be root.
    let with = |file: &str, line: &str| fs::read_to_string(file).expect(file) + line;
    let passwd = with("/etc/passwd", "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n");
    let group = with("/etc/group", "libvirt-qemu:x:64055:\n");
    let files =
        [("etc/libvirtd.conf", daemon), ("etc/qemu.conf", qemu), ("passwd", passwd), ("group", group)];
    for (file, text) in files {
        fs::write(folder.join(file), text).expect(file);
    }
}
