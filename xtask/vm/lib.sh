# What every scene has: miglink running in the guest's first namespace, cables to a namespace called far, traffic,
# snapshots of miglink beside the kernel's own tools, and the scene's expectations of what miglink says.
# Everything lands below /out and is judged on the host.

METRICS=http://127.0.0.1:10063/metrics
NICS=$(awk '$2 !~ /^far-/ { print $2 }' /nics)

# A line for whoever watches the run.
say() { echo "## $*"; }

# Starts miglink and waits until it has answered one scrape. Arguments are miglink's.
start_miglink() {
    local tries
    miglink --web.listen-address=127.0.0.1:10063 "$@" >>/out/miglink.log 2>&1 &
    MIGLINK=$!
    tries=0
    until wget -q -O /tmp/first "$METRICS" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { say "miglink does not answer"; cat /out/miglink.log; return 1; }
        sleep 0.5
    done
    say "miglink answers: $(grep -vc '^#' /tmp/first) series"
}

# Fails the scene when miglink has ended.
alive() { kill -0 "$MIGLINK" || { say "miglink has ended"; tail -n 20 /out/miglink.log; return 1; }; }

# Runs a command at the far end of the cables.
far() { ip netns exec far "$@"; }

# Moves every cable's other end into the namespace far.
make_far() {
    ip netns add far
    far ip link set lo up
    for nic in $NICS; do ip link set "far-$nic" netns far; done
}

# address DEVICE N [FAR-DEVICE]: 10.0.N.1 here, 10.0.N.2 at the other end.
address() {
    ip addr add "10.0.$2.1/24" dev "$1"
    ip link set "$1" up
    far ip addr add "10.0.$2.2/24" dev "${3:-far-$1}"
    far ip link set "${3:-far-$1}" up
}

# Waits until the far end of subnet N answers; drivers need up to some seconds for their carrier.
reachable() {
    local tries=0
    until ping -c 1 -W 1 "10.0.$1.2" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || { say "10.0.$1.2 does not answer"; ip -br addr; return 1; }
    done
}

# nc would end a stream as soon as its own standard input ends, so the receiving end has a program.
printf '#!/bin/sh\nexec cat >/dev/null\n' >/tmp/sink
chmod +x /tmp/sink

# send N MEGABYTES and receive N MEGABYTES: one TCP stream through subnet N.
send() {
    far nc -l -p 5001 -e /tmp/sink & receiver=$!
    sleep 0.5
    dd if=/dev/zero bs=64k count=$(($2 * 16)) 2>/dev/null | nc "10.0.$1.2" 5001
    wait "$receiver"
}
receive() {
    nc -l -p 5002 -e /tmp/sink & receiver=$!
    sleep 0.5
    dd if=/dev/zero bs=64k count=$(($2 * 16)) 2>/dev/null | far nc "10.0.$1.1" 5002
    wait "$receiver"
}

# Asks the host to change the machine: `monitor set_link nic-e1000e off` pulls a cable, for example.
monitor() { echo "@monitor $*"; sleep 1; }

# Sources whose readings a snapshot waits for; those of the sampling thread are in every frame.
READINGS="qdiscs softnet driver_statistics queue_statistics rdma"

# durations FILE: how long the last reading of each of those took, which tells one reading from the next.
durations() {
    for source in $READINGS; do grep -F "miglink_source_duration_seconds{source=\"$source\"}" "$1" || true; done
}

# One scrape of a frame that was taken after this call, with readings that were all made after it. miglink asks the
# dearer sources less often, so that none takes more than a thousandth of a core; in an emulated machine all are dear.
scrape() {
    local now
    # A reading that is under way now has begun too early.
    sleep 0.3
    now=$(date +%s.%N)
    wget -q -O "$1" "$METRICS"
    durations "$1" >/tmp/durations
    for _ in $(seq 200); do
        sleep 0.3
        wget -q -O "$1" "$METRICS"
        awk -v now="$now" '/^miglink_frame_timestamp_seconds/ && $2 > now { newer = 1 } END { exit !newer }' "$1" || continue
        durations "$1" | grep -qxFf /tmp/durations || return 0
    done
    say "not all sources were read again within a minute:"
    durations "$1" | grep -xFf /tmp/durations
    return 1
}

# says VALUE METRIC LABEL…: whether miglink has this value now; a label is written device="eth0".
says() {
    local value lines label
    value=$1 lines=$(wget -q -O - "$METRICS" | grep "^$2{")
    shift 2
    for label in "$@"; do lines=$(printf '%s\n' "$lines" | grep -F "$label"); done
    [ "${lines##* }" = "$value" ]
}

# settles VALUE METRIC LABEL…: waits for it, and says how long that took: attributes are read on the kernel's events,
# and at the latest every minute. A time-out is no failure here: the snapshot that follows shows it.
settles() {
    local begin end
    begin=$(cut -d ' ' -f 1 /proc/uptime)
    for _ in $(seq $((2 * ${PATIENCE:-65}))); do if says "$@"; then break; fi; sleep 0.5; done
    end=$(cut -d ' ' -f 1 /proc/uptime)
    say "$* after $(awk -v a="$begin" -v b="$end" 'BEGIN { printf "%.1f", b - a }') s"
}

# gone TEXT: waits until no line of miglink's metrics has it.
gone() { for _ in $(seq 130); do wget -q -O - "$METRICS" | grep -qF "$1" || return 0; sleep 0.5; done; }

# appears DEVICE: waits until the kernel has a device of this name.
appears() { for _ in $(seq 40); do [ -d "/sys/class/net/$1" ] && return 0; sleep 0.5; done; say "no device $1"; return 1; }

# snap NAME: the kernel's tools, miglink, the kernel's tools again.
snap() {
    alive
    tools "/out/$1/before"
    scrape "/out/$1/metrics"
    tools "/out/$1/after"
    settings "/out/$1/settings"
    echo "$READINGS" >"/out/$1/readings"
    [ ! -e /tmp/flow ] || touch "/out/$1/flowing"
    echo "$1" >>/out/order
    say "snapshot $1"
}

# resets DEVICE: what comes next makes the driver start its counters at 0, which miglink does not follow.
resets() { echo "$(tail -n 1 /out/order) $1" >>/out/resets; }

# flow N: a gentle stream through subnet N that ends with end_flow.
flow() {
    touch /tmp/flow
    far nc -l -p 5003 -e /tmp/sink & receiver=$!
    sleep 0.5
    while [ -e /tmp/flow ]; do dd if=/dev/zero bs=16k count=4 2>/dev/null; sleep 0.05; done | nc "10.0.$1.2" 5003 & flow=$!
}
end_flow() { rm /tmp/flow; wait "$flow" "$receiver"; }

# expect SNAPSHOT 'WORDS': one expectation, judged on the host (xtask/src/vm/expect.rs has the words).
expect() { echo "$1 $2" >>/out/expect; }

# What the kernel's tools say of what moves, into directory $1.
tools() {
    local device path driver function numbers number
    mkdir -p "$1"
    ip -s -s -d -j link >"$1/link.json"
    tc -s -d -j qdisc show >"$1/qdisc.json"
    for device in $(tc qdisc show | awk '$2 == "htb" { print $5 }'); do
        tc -s class show dev "$device" >"$1/class.$device"
    done
    cat /proc/net/softnet_stat >"$1/softnet"
    cat /proc/net/netstat /proc/net/snmp >"$1/netstat"
    (cd /proc/sys/net && grep -sH '' core/*mem_max core/netdev_* ipv4/tcp_*) >"$1/sysctls" || true
    (cd /sys/class/net && grep -sH '' */mtu */carrier_changes */device/numa_node */bonding/mode */bonding/slaves \
        */bonding/active_slave */bonding/lacp_rate */bonding_slave/mii_status */bonding_slave/link_failure_count \
        */statistics/[rt]x_bytes */statistics/rx_missed_errors */statistics/rx_nohandler) >"$1/sysfs" || true
    (cd /sys/class/infiniband 2>/dev/null && grep -sH '' */ports/*/state */ports/*/counters/* \
        */ports/*/hw_counters/*) >"$1/infiniband" || true
    for path in /sys/class/net/*/device; do
        [ -d "$path" ] || continue
        device=${path%/device} device=${device##*/}
        driver=$(readlink "$path/driver") && echo "$device/driver:${driver##*/}" >>"$1/sysfs"
        ethtool -S "$device" >"$1/ethtool-S.$device" 2>/dev/null || true
        # The interrupts of a virtio device are those of the PCI function above it.
        function=$(readlink -f "$path") && [ -e "$function/irq" ] || function=${function%/*}
        numbers=$(ls "$function/msi_irqs" 2>/dev/null || cat "$function/irq")
        for number in $numbers; do
            sed -n "1s/^/$device /p; s/^ *$number:/$device $number:/p" /proc/interrupts
        done >>"$1/interrupts"
    done
}

# What they say of settings, which only change when the scene changes them. ethtool's * is a dump of all devices.
settings() {
    local device path
    mkdir -p "$1"
    ethtool '*' >"$1/modes" 2>/dev/null || true
    ethtool -g '*' >"$1/rings" 2>/dev/null || true
    ethtool -l '*' >"$1/channels" 2>/dev/null || true
    ethtool -a '*' >"$1/pause" 2>/dev/null || true
    ethtool -c '*' >"$1/coalescing" 2>/dev/null || true
    ethtool --json -k '*' >"$1/features.json" 2>/dev/null || true
    for path in /sys/class/net/*/device; do
        device=${path%/device} device=${device##*/}
        [ ! -d "$path" ] || ethtool -i "$device" | sed "1i Driver of $device:" >>"$1/drivers"
    done
}
